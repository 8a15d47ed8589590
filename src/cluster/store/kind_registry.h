// The kinds that a store serves by now: those that are built in, and one for each CustomResourceDefinition that it holds.
//
// The storage tells it of every definition that is put or erased, in order, when the change is durable and before anybody
// sees it; so whoever has written a definition finds its kind. Readers take a snapshot and keep it while they work.
//
// Where two definitions want one name, the one whose names were accepted first has it, and the other waits.
//
// Thread: any.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "resource/kind_set.h"
#include "resource/object.h"

namespace tidegate::cluster {

class KindRegistry {
 public:
  KindRegistry();
  ~KindRegistry();
  KindRegistry(const KindRegistry&) = delete;
  KindRegistry& operator=(const KindRegistry&) = delete;

  resource::KindSetPtr current() const;

  void put(const resource::ObjectPtr& definition);
  void erase(const std::string& name);

  // What storage knows a kind by (resource::stored_as()), in whatever version; it lives as long as the registry. Also of
  // kinds whose definition has gone, or waits. Null if there never was one.
  const resource::Kind* stored(std::string_view group, std::string_view kind) const;
  // The same for the kind that a definition makes, served or not. Null for one that is built in.
  const resource::Kind* stored_for(const resource::Json& definition) const;
  // The same for an object's apiVersion and kind.
  const resource::Kind* stored_of(std::string_view api_version, std::string_view kind) const;

 private:
  struct Anchor;
  struct Entry {
    resource::ObjectPtr definition;
    std::shared_ptr<const resource::CustomKind> kind;
  };

  const resource::Kind& anchor(const resource::Json& definition);
  void renew();

  mutable std::mutex mutex_;
  // All below: guarded by mutex_.
  std::map<std::string, std::unique_ptr<Anchor>> anchors_;  // by group, kind, plural and scope
  std::map<std::string, const resource::Kind*> latest_;     // the anchor of "group/Kind" that is or was served last
  std::map<std::string, Entry> entries_;                    // by the definition's name
  resource::KindSetPtr current_;
};

}  // namespace tidegate::cluster
