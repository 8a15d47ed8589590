#include "gateway/kvfeed/block_names.h"

#include <utility>

#include "base/random.h"

namespace tidegate::kvfeed {

std::size_t BlockNames::home_of(std::uint64_t hash) const { return mix64(hash) & (places_.size() - 1); }

std::size_t BlockNames::place_of(std::uint64_t hash) const {
  std::size_t at = home_of(hash);
  while (mediums_[at] != 0 && places_[at].hash != hash) at = (at + 1) & (places_.size() - 1);
  return at;
}

std::optional<std::uint64_t> BlockNames::find(std::uint64_t hash) const {
  if (used_ == 0) return std::nullopt;
  const std::size_t at = place_of(hash);
  if (mediums_[at] == 0) return std::nullopt;
  return places_[at].key;
}

bool BlockNames::add(std::uint64_t hash, std::uint64_t key, Medium medium) {
  if ((used_ + 1) * 4 > places_.size() * 3) grow();
  const std::size_t at = place_of(hash);
  const bool is_new = mediums_[at] == 0;
  if (is_new) {
    places_[at] = {hash, key};
    ++used_;
  }
  mediums_[at] |= medium;
  return is_new;
}

std::optional<std::uint64_t> BlockNames::remove(std::uint64_t hash, Medium medium) {
  if (used_ == 0) return std::nullopt;
  const std::size_t at = place_of(hash);
  if ((mediums_[at] & medium) == 0) return std::nullopt;
  mediums_[at] &= static_cast<std::uint8_t>(~medium);
  if (mediums_[at] != 0) return std::nullopt;
  const std::uint64_t key = places_[at].key;
  erase(at);
  return key;
}

void BlockNames::clear() {
  places_ = {};
  mediums_ = {};
  used_ = 0;
}

void BlockNames::grow() {
  const std::vector<Place> places = std::move(places_);
  const std::vector<std::uint8_t> mediums = std::move(mediums_);
  places_.assign(places.empty() ? kFirstPlaces : places.size() * 2, {});
  mediums_.assign(places_.size(), 0);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (mediums[i] == 0) continue;
    const std::size_t at = place_of(places[i].hash);
    places_[at] = places[i];
    mediums_[at] = mediums[i];
  }
}

// What follows moves up, so that no search ends at the gap.
void BlockNames::erase(std::size_t at) {
  const std::size_t mask = places_.size() - 1;
  for (std::size_t next = (at + 1) & mask; mediums_[next] != 0; next = (next + 1) & mask) {
    if (((next - home_of(places_[next].hash)) & mask) < ((next - at) & mask)) continue;
    places_[at] = places_[next];
    mediums_[at] = mediums_[next];
    at = next;
  }
  mediums_[at] = 0;
  --used_;
}

}  // namespace tidegate::kvfeed
