#include "gateway/listing.h"

#include <algorithm>
#include <utility>

namespace tidegate::gateway {
namespace {

void set_bit(std::vector<std::uint64_t>& row, std::size_t bit) { row[bit / 64] |= std::uint64_t{1} << bit % 64; }

bool is_zero(const std::vector<std::uint64_t>& row) {
  return std::ranges::all_of(row, [](std::uint64_t word) { return word == 0; });
}

}  // namespace

std::shared_ptr<const Listing> Listing::make(std::span<const Endpoint> endpoints) {
  auto listing = std::make_shared<Listing>();
  const Row none((endpoints.size() + 63) / 64);
  Row said = none;
  Row by_member = none;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (!endpoints[i].models) continue;
    set_bit(said, i);
    if (endpoints[i].by_member) set_bit(by_member, i);
    for (const dialect::ServedModel& model : *endpoints[i].models)
      set_bit(listing->rows_.try_emplace(model.id, none).first->second, i);  // who has it, so far
  }
  for (auto& [model, row] : listing->rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = said[i] & ~row[i];
  }
  if (!is_zero(by_member)) {
    listing->unlisted_ = std::move(by_member);
  } else {
    std::erase_if(listing->rows_, [](const auto& entry) { return is_zero(entry.second); });
  }
  return listing->rows_.empty() && listing->unlisted_.empty() ? nullptr : std::move(listing);
}

Listing::Lacking Listing::lacking(std::string_view model) const {
  const auto found = rows_.find(model);
  return Lacking(found == rows_.end() ? unlisted_ : found->second);
}

}  // namespace tidegate::gateway
