// All kinds that are served at one moment: those that are built in, and those that definitions have made.
//
// Thread: immutable; any thread.

#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "resource/custom_kind.h"
#include "resource/kind.h"

namespace tidegate::resource {

class KindSet {
 public:
  explicit KindSet(std::vector<std::shared_ptr<const CustomKind>> custom = {});

  const std::vector<const Kind*>& all() const { return all_; }  // built-in ones first
  const std::vector<std::shared_ptr<const CustomKind>>& custom() const { return custom_; }

  // By "group/version" and kind, as find_kind(). Null if unknown.
  const Kind* find(std::string_view api_version, std::string_view kind) const;

 private:
  std::vector<std::shared_ptr<const CustomKind>> custom_;
  std::vector<const Kind*> all_;
};

using KindSetPtr = std::shared_ptr<const KindSet>;

}  // namespace tidegate::resource
