#include "kvwire/msgpack.h"

#include <bit>

namespace tidegate::kvwire {

void Packer::put(std::uint8_t type, std::uint64_t value, int bytes) {
  out_ += static_cast<char>(type);
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift);
}

void Packer::whole(std::uint64_t value) {
  if (value < 0x80) return put(static_cast<std::uint8_t>(value), 0, 0);
  if (value <= 0xff) return put(0xcc, value, 1);
  if (value <= 0xffff) return put(0xcd, value, 2);
  if (value <= 0xffff'ffff) return put(0xce, value, 4);
  put(0xcf, value, 8);
}

void Packer::whole_signed(std::int64_t value) {
  if (value >= 0) return whole(static_cast<std::uint64_t>(value));
  put(0xd3, static_cast<std::uint64_t>(value), 8);
}

void Packer::real(double value) { put(0xcb, std::bit_cast<std::uint64_t>(value), 8); }

void Packer::text(std::string_view value) {
  if (value.size() < 32) {
    put(static_cast<std::uint8_t>(0xa0 | value.size()), 0, 0);
  } else if (value.size() <= 0xff) {
    put(0xd9, value.size(), 1);
  } else if (value.size() <= 0xffff) {
    put(0xda, value.size(), 2);
  } else {
    put(0xdb, value.size(), 4);
  }
  out_ += value;
}

void Packer::array(std::uint32_t count) {
  if (count < 16) return put(static_cast<std::uint8_t>(0x90 | count), 0, 0);
  if (count <= 0xffff) return put(0xdc, count, 2);
  put(0xdd, count, 4);
}

bool Unpacker::take(std::size_t count, std::string_view& bytes) {
  if (count > rest_.size()) return false;
  bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

bool Unpacker::take_number(int bytes, std::uint64_t& value) {
  std::string_view digits;
  if (!take(static_cast<std::size_t>(bytes), digits)) return false;
  value = 0;
  for (const char digit : digits) value = value << 8 | static_cast<std::uint8_t>(digit);
  return true;
}

// A length of so many bytes, then that many bytes.
bool Unpacker::take_counted(Packed& value, Packed::Kind kind, int bytes) {
  value.kind = kind;
  std::uint64_t length = 0;
  return take_number(bytes, length) && take(length, value.bytes);
}

bool Unpacker::next(Packed& value) {
  std::string_view head;
  if (!take(1, head)) return false;
  const auto type = static_cast<std::uint8_t>(head.front());
  const auto set = [&](Packed::Kind kind, std::uint64_t number) {
    value.kind = kind;
    value.number = number;
    return true;
  };
  const auto set_sized = [&](Packed::Kind kind, int bytes) {
    value.kind = kind;
    return take_number(bytes, value.number);
  };
  if (type < 0x80) return set(Packed::kWhole, type);
  if (type < 0x90) return set(Packed::kMap, type & 0x0fU);
  if (type < 0xa0) return set(Packed::kArray, type & 0x0fU);
  if (type < 0xc0) {
    value.kind = Packed::kText;
    return take(type & 0x1fU, value.bytes);
  }
  if (type >= 0xe0) return set(Packed::kWhole, static_cast<std::uint64_t>(static_cast<std::int8_t>(type)));
  switch (type) {
    case 0xc0:
      return set(Packed::kNil, 0);
    case 0xc2:
    case 0xc3:
      return set(Packed::kBool, type & 1U);
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return take_counted(value, Packed::kBytes, 1 << (type - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9: {  // an extension: its length, its type, its bytes
      value.kind = Packed::kOther;
      std::uint64_t length = 0;
      return take_number(1 << (type - 0xc7), length) && take(length + 1, value.bytes);
    }
    case 0xca: {
      if (!set_sized(Packed::kReal, 4)) return false;
      value.real = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(value.number)));
      return true;
    }
    case 0xcb: {
      if (!set_sized(Packed::kReal, 8)) return false;
      value.real = std::bit_cast<double>(value.number);
      return true;
    }
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
      return set_sized(Packed::kWhole, 1 << (type - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
      const int bytes = 1 << (type - 0xd0);
      if (!set_sized(Packed::kWhole, bytes)) return false;
      const int above = 64 - 8 * bytes;  // the sign is carried up
      value.number = static_cast<std::uint64_t>(static_cast<std::int64_t>(value.number << above) >> above);
      return true;
    }
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      value.kind = Packed::kOther;
      return take((std::size_t{1} << (type - 0xd4)) + 1, value.bytes);
    case 0xd9:
    case 0xda:
    case 0xdb:
      return take_counted(value, Packed::kText, 1 << (type - 0xd9));
    case 0xdc:
    case 0xdd:
      return set_sized(Packed::kArray, type == 0xdc ? 2 : 4);
    case 0xde:
    case 0xdf:
      return set_sized(Packed::kMap, type == 0xde ? 2 : 4);
    default:  // 0xc1, which nobody writes
      return false;
  }
}

bool Unpacker::skip() {
  // What is open can never be more than 2^33 a byte read, so the count cannot run over.
  for (std::uint64_t open = 1; open > 0; --open) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind == Packed::kArray) open += value.number;
    if (value.kind == Packed::kMap) open += 2 * value.number;
  }
  return true;
}

}  // namespace tidegate::kvwire
