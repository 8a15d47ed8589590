#include "control/placement/board.h"

#include <algorithm>

namespace tidegate::placement {

void Board::put(NodePtr node) {
  const std::string name = node->name;
  places_[name].node = std::move(node);
}

void Board::drop_node(std::string_view name) {
  const auto found = places_.find(name);
  if (found == places_.end()) return;
  for (const PodPtr& pod : found->second.pods) anti_affine_ -= pod->affinity.anti_required.empty() ? 0 : 1;
  places_.erase(found);
}

void Board::put(const PodPtr& pod) {
  if (pod->ended) return;
  if (!pod->node.empty()) {
    put_on(pod->node, pod);
  } else if (!pod->nominated.empty()) {
    nominate(pod->nominated, pod);
  }
}

void Board::put_on(std::string_view node, const PodPtr& pod) {
  const auto found = places_.find(node);
  if (found == places_.end()) return;
  Place& place = found->second;
  place.used.add(pod->requests);
  place.pods.push_back(pod);
  std::erase_if(place.nominated, [&](const PodPtr& other) { return other->uid == pod->uid; });
  if (!pod->affinity.anti_required.empty()) ++anti_affine_;
}

void Board::nominate(std::string_view node, const PodPtr& pod) {
  const auto found = places_.find(node);
  if (found != places_.end()) found->second.nominated.push_back(pod);
}

void Board::drop(std::string_view node, std::string_view uid) {
  const auto found = places_.find(node);
  if (found == places_.end()) return;
  Place& place = found->second;
  const auto pod = std::find_if(place.pods.begin(), place.pods.end(),
                                [&](const PodPtr& other) { return other->uid == uid; });
  if (pod == place.pods.end()) return;
  place.used.add((*pod)->requests, -1);
  if (!(*pod)->affinity.anti_required.empty()) --anti_affine_;
  place.pods.erase(pod);
}

const Place* Board::find(std::string_view node) const {
  const auto found = places_.find(node);
  return found == places_.end() ? nullptr : &found->second;
}

}  // namespace tidegate::placement
