#include "cluster/store/kind_registry.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cluster/schema/catalog.h"
#include "resource/definition.h"
#include "resource/fields.h"

namespace tidegate::cluster {

using resource::Json;
using resource::Kind;

namespace {

std::string anchor_name(const Json& definition) {
  std::string name;
  for (const char* path : {"spec.group", "spec.names.kind", "spec.names.plural", "spec.scope"}) {
    name += resource::text(definition, path) + "/";
  }
  return name;
}

}  // namespace

// A Kind with texts of its own.
struct KindRegistry::Anchor {
  std::string group, kind, plural;
  Kind self;
};

KindRegistry::KindRegistry() : current_(std::make_shared<const resource::KindSet>()) {}

KindRegistry::~KindRegistry() = default;

resource::KindSetPtr KindRegistry::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

const Kind& KindRegistry::anchor(const Json& definition) {
  auto& slot = anchors_[anchor_name(definition)];
  if (slot == nullptr) {
    slot = std::make_unique<Anchor>();
    slot->group = resource::text(definition, "spec.group");
    slot->kind = resource::text(definition, "spec.names.kind");
    slot->plural = resource::text(definition, "spec.names.plural");
    slot->self.group = slot->group;
    slot->self.kind = slot->kind;
    slot->self.plural = slot->plural;
    slot->self.namespaced = resource::text(definition, "spec.scope") == "Namespaced";
  }
  latest_.try_emplace(slot->group + "/" + slot->kind, &slot->self);
  return slot->self;
}

void KindRegistry::put(const resource::ObjectPtr& definition) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[definition->name()];
  // Most writes of a definition are to its status or its metadata; the schema is read again only if it changed.
  const bool same = entry.kind != nullptr &&
                    entry.definition->metadata().generation == definition->metadata().generation &&
                    entry.definition->metadata().uid == definition->metadata().uid;
  entry.definition = definition;
  if (!same) {
    const Json& json = definition->json();
    entry.kind = resource::defines_built_in(json)
                     ? nullptr
                     : resource::CustomKind::make(json, schema::object_metadata(), anchor(json));
  }
  renew();
}

void KindRegistry::erase(const std::string& name) {
  const std::lock_guard lock(mutex_);
  entries_.erase(name);
  renew();
}

void KindRegistry::renew() {
  std::vector<const Entry*> order;
  for (const auto& [name, entry] : entries_) {
    if (entry.kind != nullptr) order.push_back(&entry);
  }
  const auto accepted = [](const Entry* entry) {
    return resource::condition_is_true(entry->definition->json(), "NamesAccepted");
  };
  std::stable_sort(order.begin(), order.end(), [&](const Entry* a, const Entry* b) {
    if (accepted(a) != accepted(b)) return accepted(a);
    return a->definition->metadata().creation_timestamp < b->definition->metadata().creation_timestamp;
  });
  std::vector<std::shared_ptr<const resource::CustomKind>> served;
  for (const Entry* entry : order) {
    if (resource::name_conflict(entry->definition->json(), resource::KindSet(served)).empty()) {
      served.push_back(entry->kind);
      latest_[std::string(entry->kind->group) + "/" + std::string(entry->kind->kind)] = &entry->kind->anchor();
    }
  }
  current_ = std::make_shared<const resource::KindSet>(std::move(served));
}

const Kind* KindRegistry::stored(std::string_view group, std::string_view kind) const {
  for (const Kind& built_in : resource::kinds()) {
    if (built_in.group == group && built_in.kind == kind) return &built_in;
  }
  const std::lock_guard lock(mutex_);
  const auto found = latest_.find(std::string(group) + "/" + std::string(kind));
  return found == latest_.end() ? nullptr : found->second;
}

const Kind* KindRegistry::stored_for(const Json& definition) const {
  if (resource::defines_built_in(definition)) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = anchors_.find(anchor_name(definition));
  return found == anchors_.end() ? nullptr : &found->second->self;
}

const Kind* KindRegistry::stored_of(std::string_view api_version, std::string_view kind) const {
  const std::size_t slash = api_version.find('/');
  return stored(slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash), kind);
}

}  // namespace tidegate::cluster
