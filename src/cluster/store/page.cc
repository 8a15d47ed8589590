#include "cluster/store/page.h"

#include <charconv>

namespace tidegate::cluster {

Result<std::optional<Position>> read_position(std::string_view token) {
  if (token.empty()) return std::optional<Position>();
  Position position;
  const char* const end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data(), end, position.revision);
  const std::string_view key(rest, static_cast<std::size_t>(end - rest));
  const std::size_t slash = key.find('/');
  if (error != std::errc() || !key.starts_with('.') || slash == std::string_view::npos) {
    return invalid("continue", "is not a token of this server; leave it out to start over");
  }
  position.after = {std::string(key.substr(1, slash - 1)), std::string(key.substr(slash + 1))};
  return std::optional<Position>(std::move(position));
}

std::string write_position(const Position& position) {
  return std::to_string(position.revision) + "." + position.after.namespace_ + "/" + position.after.name;
}

List cut_page(const std::map<Key, ObjectPtr>& objects, const ListOptions& options,
              const std::optional<Position>& position, std::uint64_t revision) {
  List page;
  page.revision = revision;
  auto at = objects.lower_bound(Key{options.namespace_, {}});
  if (position && position->after >= Key{options.namespace_, {}}) at = objects.upper_bound(position->after);
  for (; at != objects.end(); ++at) {
    if (!options.namespace_.empty() && at->first.namespace_ != options.namespace_) break;
    if (options.limit == 0 || page.items.size() < options.limit) {
      page.items.push_back(at->second);
    } else {
      ++page.remaining;
    }
  }
  if (page.remaining > 0) page.continue_ = write_position({revision, key_of(*page.items.back())});
  return page;
}

tl::unexpected<Error> page_gone() {
  return fail(Code::kGone,
              "The provided continue parameter is too old to display a consistent list result; start a new "
              "list without the continue parameter");
}

}  // namespace tidegate::cluster
