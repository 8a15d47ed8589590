// MessagePack, as much of it as KV events take: a writer that appends and a reader that pulls one value after
// the other out of bytes that may say anything.
//
// The reader copies nothing, never recurses and makes no room for what a length promises: an array of four
// thousand million items is a number until its items are there.
//
// Thread: values.
// Source: github.com/msgpack/msgpack/blob/master/spec.md.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::kvwire {

class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void nil() { out_ += '\xc0'; }
  void whole(std::uint64_t value);
  void whole_signed(std::int64_t value);
  void real(double value);
  void text(std::string_view value);
  void array(std::uint32_t count);

 private:
  void put(std::uint8_t type, std::uint64_t value, int bytes);
  std::string& out_;
};

struct Packed {
  enum Kind : std::uint8_t { kNil, kBool, kWhole, kReal, kText, kBytes, kArray, kMap, kOther };
  Kind kind = kNil;
  // Of kWhole the value, negative ones in two's complement; of kBool 0 or 1; of kArray and kMap how many
  // items or pairs follow.
  std::uint64_t number = 0;
  double real = 0;
  std::string_view bytes;  // of kText and kBytes; lives in the input
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view input) : rest_(input) {}

  // The next value; of an array or map only its head. False if the input ends or is none of MessagePack.
  bool next(Packed& value);
  // The next value with all that is in it.
  bool skip();
  bool at_end() const { return rest_.empty(); }

 private:
  bool take(std::size_t count, std::string_view& bytes);
  bool take_number(int bytes, std::uint64_t& value);
  bool take_counted(Packed& value, Packed::Kind kind, int bytes);
  std::string_view rest_;
};

}  // namespace tidegate::kvwire
