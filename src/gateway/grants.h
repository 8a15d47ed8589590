// ReferenceGrants: which references may leave their namespace.
//
// Thread: immutable once made; any thread.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "resource/object.h"
#include "resource/reference_grant.h"

namespace tidegate::gateway {

class Grants {
 public:
  Grants() = default;
  explicit Grants(const std::vector<resource::ObjectPtr>& objects);

  struct From {
    std::string_view group;
    std::string_view kind;
    std::string_view namespace_;
  };
  struct To {
    std::string_view group;
    std::string_view kind;
    std::string_view namespace_;
    std::string_view name;
  };
  // Within one namespace everything is allowed.
  bool allows(const From& from, const To& to) const;

 private:
  struct Entry {
    std::string namespace_;  // the grant's: where its targets are
    resource::ReferenceGrant grant;
  };
  std::vector<Entry> entries_;
};

}  // namespace tidegate::gateway
