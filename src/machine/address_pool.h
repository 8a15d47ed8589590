// Loopback addresses for pods: every pod its own, so that ten of them can listen on port 8000 of one machine.
//
// Addresses are handed out in order and taken again only after the whole range went by, so that a client that
// still knows an old pod's address does not reach a new pod. The cursor survives a restart if the owner keeps
// it.
//
// Thread: one owner.

#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::machine {

class AddressPool {
 public:
  // "127.64.0.0/10". Errors: kInvalid unless it lies inside 127.0.0.0/8 and holds at least 256 addresses.
  static Result<AddressPool> make(std::string_view range, std::uint64_t cursor = 0);

  // Errors: kExhausted.
  Result<std::string> take();
  // An address that is in use already (found on a pod after a restart). Addresses outside the range are
  // ignored.
  void reserve(std::string_view address);
  void release(std::string_view address);

  // Where the next take() begins; hand it to make() after a restart.
  std::uint64_t cursor() const { return cursor_; }

 private:
  AddressPool(std::uint32_t first, std::uint32_t size, std::uint64_t cursor)
      : first_(first), size_(size), cursor_(cursor % size) {}

  std::uint32_t first_;
  std::uint32_t size_;
  std::uint64_t cursor_;
  std::set<std::uint32_t> taken_;
};

}  // namespace tidegate::machine
