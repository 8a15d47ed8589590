#include "kvwire/batch.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kvwire/msgpack.h"

namespace tidegate::kvwire {
namespace {

constexpr std::string_view kStored = "BlockStored";
constexpr std::string_view kRemoved = "BlockRemoved";
constexpr std::string_view kCleared = "AllBlocksCleared";

// Names longer than this are nobody's.
constexpr std::size_t kNameBytesMax = 1024;
constexpr std::size_t kMembersMax = 32;

void pack_hashes(Packer& out, const std::vector<std::uint64_t>& hashes) {
  out.array(static_cast<std::uint32_t>(hashes.size()));
  for (const std::uint64_t hash : hashes) out.whole(hash);
}

void pack_text_or_nil(Packer& out, std::string_view text) {
  if (text.empty()) return out.nil();
  out.text(text);
}

// Per block what it is named by besides tokens: the adapter, and with the first block the client's salt.
void pack_extra_keys(Packer& out, const BlockStored& stored) {
  out.array(static_cast<std::uint32_t>(stored.hashes.size()));
  for (std::size_t i = 0; i < stored.hashes.size(); ++i) {
    const bool salted = i == 0 && !stored.salt.empty();
    const std::uint32_t count = (stored.lora_name.empty() ? 0 : 1) + (salted ? 1 : 0);
    if (count == 0) {
      out.nil();
      continue;
    }
    out.array(count);
    if (!stored.lora_name.empty()) out.text(stored.lora_name);
    if (salted) out.text(stored.salt);
  }
}

struct PackEvent {
  Packer& out;

  void operator()(const BlockStored& stored) const {
    out.array(stored.salt.empty() ? 8 : 9);
    out.text(kStored);
    pack_hashes(out, stored.hashes);
    if (stored.parent) {
      out.whole(*stored.parent);
    } else {
      out.nil();
    }
    out.array(static_cast<std::uint32_t>(stored.tokens.size()));
    for (const std::uint32_t token : stored.tokens) out.whole(token);
    out.whole(stored.block_tokens);
    if (stored.lora_id) {
      out.whole_signed(*stored.lora_id);
    } else {
      out.nil();
    }
    pack_text_or_nil(out, stored.medium);
    pack_text_or_nil(out, stored.lora_name);
    if (!stored.salt.empty()) pack_extra_keys(out, stored);
  }
  void operator()(const BlockRemoved& removed) const {
    out.array(3);
    out.text(kRemoved);
    pack_hashes(out, removed.hashes);
    pack_text_or_nil(out, removed.medium);
  }
  void operator()(const AllBlocksCleared&) const {
    out.array(1);
    out.text(kCleared);
  }
};

// Members by position, the tag at 0, and their names in the newer form.
constexpr std::array<std::string_view, 10> kStoredMembers = {
    "type",    "block_hashes", "parent_block_hash", "token_ids",  "block_size",
    "lora_id", "medium",       "lora_name",         "extra_keys", "group_idx"};
constexpr std::array<std::string_view, 4> kRemovedMembers = {"type", "block_hashes", "medium", "group_idx"};
constexpr std::array<std::string_view, 3> kBatchMembers = {"ts", "events", "data_parallel_rank"};

constexpr std::size_t kUnknown = kMembersMax;

template <std::size_t N>
std::size_t place_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? kUnknown : static_cast<std::size_t>(found - names.begin());
}

// Reads one batch. Every read_ member returns false after saying what is wrong in `wrong`.
class Reader {
 public:
  explicit Reader(std::string_view payload) : in_(payload) {}

  std::string wrong;

  bool read_batch(Batch& batch) {
    const bool read = read_members(kBatchMembers, "a batch", [&](std::size_t place) {
      switch (place) {
        case 0:
          return read_time(batch.time);
        case 1:
          return read_events(batch.events);
        case 2:
          return read_signed("data_parallel_rank", batch.rank);
        default:
          return skip();
      }
    });
    return read && (in_.at_end() || fail("bytes after the batch"));
  }

 private:
  bool fail(std::string_view what) {
    if (wrong.empty()) wrong = what;
    return false;
  }

  bool next(Packed& value) { return in_.next(value) || fail("it ends too early, or is no MessagePack"); }
  bool skip() { return in_.skip() || fail("it ends too early, or is no MessagePack"); }

  // An array by position or a map by names.
  template <std::size_t N, typename Read>
  bool read_members(const std::array<std::string_view, N>& names, const char* what, Read read) {
    Packed head;
    if (!next(head)) return false;
    return read_members_of(head, names, what, read);
  }

  template <std::size_t N, typename Read>
  bool read_members_of(const Packed& head, const std::array<std::string_view, N>& names, const char* what,
                       Read read) {
    const bool by_name = head.kind == Packed::kMap;
    if (!by_name && head.kind != Packed::kArray)
      return fail(std::string(what) + " is neither an array nor a map");
    if (head.number > kMembersMax) return fail(std::string(what) + " has more than 32 members");
    for (std::uint64_t i = 0; i < head.number; ++i) {
      std::size_t place = i;
      if (by_name) {
        Packed name;
        if (!next(name)) return false;
        if (name.kind != Packed::kText) return fail("a member's name is no text");
        place = place_of(names, name.bytes);
      }
      if (!read(place < N ? place : kUnknown)) return false;
    }
    return true;
  }

  bool read_time(double& time) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind != Packed::kReal && value.kind != Packed::kWhole) return fail("ts is no number");
    time = value.kind == Packed::kReal ? value.real : static_cast<double>(value.number);
    return true;
  }

  bool read_signed(const char* what, std::int64_t& number) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind == Packed::kNil) return true;
    if (value.kind != Packed::kWhole) return fail(std::string(what) + " is no whole number");
    number = static_cast<std::int64_t>(value.number);
    return true;
  }

  bool read_uint32(const char* what, std::uint32_t& number) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind == Packed::kNil) return true;
    if (value.kind != Packed::kWhole || value.number > std::numeric_limits<std::uint32_t>::max())
      return fail(std::string(what) + " is no whole number below 2^32");
    number = static_cast<std::uint32_t>(value.number);
    return true;
  }

  bool read_name(const char* what, std::string& name) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind == Packed::kNil) return true;
    if (value.kind != Packed::kText || value.bytes.size() > kNameBytesMax)
      return fail(std::string(what) + " is no text of at most 1024 bytes");
    name = value.bytes;
    return true;
  }

  bool hash_of(const Packed& value, std::uint64_t& hash) {
    if (value.kind == Packed::kWhole) {
      hash = value.number;
      return true;
    }
    if (value.kind != Packed::kBytes || value.bytes.size() < 8)
      return fail("a block's hash is neither a whole number nor 8 bytes or more");
    hash = 0;
    for (const char digit : value.bytes.substr(value.bytes.size() - 8))
      hash = hash << 8 | static_cast<std::uint8_t>(digit);
    return true;
  }

  bool read_hashes(std::vector<std::uint64_t>& hashes) {
    Packed head;
    if (!next(head)) return false;
    if (head.kind != Packed::kArray) return fail("block_hashes is no array");
    for (std::uint64_t i = 0; i < head.number; ++i) {
      Packed value;
      std::uint64_t hash = 0;
      if (!next(value) || !hash_of(value, hash)) return false;
      hashes.push_back(hash);
    }
    return true;
  }

  bool read_parent(std::optional<std::uint64_t>& parent) {
    Packed value;
    if (!next(value)) return false;
    if (value.kind == Packed::kNil) return true;
    std::uint64_t hash = 0;
    if (!hash_of(value, hash)) return false;
    parent = hash;
    return true;
  }

  bool read_tokens(std::vector<std::uint32_t>& tokens) {
    Packed head;
    if (!next(head)) return false;
    if (head.kind != Packed::kArray) return fail("token_ids is no array");
    for (std::uint64_t i = 0; i < head.number; ++i) {
      std::uint32_t token = 0;
      if (!read_uint32("a token", token)) return false;
      tokens.push_back(token);
    }
    return true;
  }

  // How many blocks, from the first, have no keys beside the adapter's name; everything else is passed over.
  bool read_extra_keys(std::uint32_t& first_texts, std::vector<std::string>& names) {
    Packed head;
    if (!next(head)) return false;
    if (head.kind == Packed::kNil) return true;
    if (head.kind != Packed::kArray) return fail("extra_keys is no array");
    first_texts = 0;
    bool plain = true;
    for (std::uint64_t i = 0; i < head.number; ++i) {
      Packed keys;
      if (!next(keys)) return false;
      if (keys.kind == Packed::kNil) {
        if (plain) ++first_texts;
        continue;
      }
      if (keys.kind != Packed::kArray) return fail("a block's extra keys are no array");
      const bool one = keys.number == 1;
      for (std::uint64_t key = 0; key < keys.number; ++key) {
        Unpacker before = in_;
        Packed value;
        if (!skip()) return false;
        if (one && before.next(value) && value.kind == Packed::kText && value.bytes.size() <= kNameBytesMax &&
            (names.empty() || names.front() == value.bytes)) {
          if (names.empty()) names.emplace_back(value.bytes);
        } else {
          plain = false;
        }
      }
      if (plain) ++first_texts;
    }
    return true;
  }

  bool read_stored_member(std::size_t place, BlockStored& stored, std::uint32_t& plain,
                          std::vector<std::string>& names) {
    switch (place) {
      case 1:
        return read_hashes(stored.hashes);
      case 2:
        return read_parent(stored.parent);
      case 3:
        return read_tokens(stored.tokens);
      case 4:
        return read_uint32("block_size", stored.block_tokens);
      case 5: {
        std::int64_t id = std::numeric_limits<std::int64_t>::min();
        if (!read_signed("lora_id", id)) return false;
        if (id != std::numeric_limits<std::int64_t>::min()) stored.lora_id = id;
        return true;
      }
      case 6:
        return read_name("medium", stored.medium);
      case 7:
        return read_name("lora_name", stored.lora_name);
      case 8:
        return read_extra_keys(plain, names);
      case 9:
        return read_uint32("group_idx", stored.group);
      default:
        return skip();
    }
  }

  bool finish(BlockStored& stored, std::uint32_t plain, const std::vector<std::string>& names) {
    // Keys that are not the adapter's name are something else, a salt for example.
    const bool foreign = !names.empty() && names.front() != stored.lora_name;
    stored.plain = foreign ? 0 : std::min(plain, static_cast<std::uint32_t>(stored.hashes.size()));
    if (stored.block_tokens == 0) return fail("block_size is 0 or missing");
    // Of blocks that go to another medium an engine may tell the names alone.
    if (stored.tokens.empty()) return true;
    if (stored.tokens.size() / stored.block_tokens != stored.hashes.size() ||
        stored.tokens.size() % stored.block_tokens != 0)
      return fail("token_ids are not block_size for each of block_hashes");
    return true;
  }

  // The members of an event whose tag has been read, or that comes as a map.
  template <std::size_t N, typename Read>
  bool read_rest(const Packed& head, const std::array<std::string_view, N>& names, Read read) {
    if (head.kind == Packed::kMap) return read_members_of(head, names, "an event", read);
    for (std::uint64_t place = 1; place < head.number; ++place) {
      if (!read(place < N ? static_cast<std::size_t>(place) : kUnknown)) return false;
    }
    return true;
  }

  // What kind of event it is. Of an array the tag is taken, of a map nothing.
  bool read_tag(const Packed& head, std::string_view& tag) {
    if (head.number > kMembersMax || head.number == 0)
      return fail("an event has no members, or more than 32");
    Packed value;
    if (head.kind == Packed::kArray) {
      if (!next(value)) return false;
      if (value.kind != Packed::kText) return fail("an event's tag is no text");
      tag = value.bytes;
      return true;
    }
    if (head.kind != Packed::kMap) return fail("an event is neither an array nor a map");
    Unpacker ahead = in_;
    for (std::uint64_t i = 0; i < head.number; ++i) {
      Packed name;
      if (!ahead.next(name) || name.kind != Packed::kText) return fail("a member's name is no text");
      if (name.bytes != "type") {
        if (!ahead.skip()) return fail("it ends too early, or is no MessagePack");
        continue;
      }
      if (!ahead.next(value) || value.kind != Packed::kText) return fail("an event's type is no text");
      tag = value.bytes;
      return true;
    }
    return fail("an event has no type");
  }

  bool read_event(std::vector<Event>& events) {
    Packed head;
    std::string_view tag;
    if (!next(head) || !read_tag(head, tag)) return false;
    if (tag == kStored) {
      BlockStored stored;
      std::uint32_t plain = std::numeric_limits<std::uint32_t>::max();
      std::vector<std::string> names;
      const auto member = [&](std::size_t place) { return read_stored_member(place, stored, plain, names); };
      if (!read_rest(head, kStoredMembers, member) || !finish(stored, plain, names)) return false;
      events.emplace_back(std::move(stored));
    } else if (tag == kRemoved) {
      BlockRemoved removed;
      const auto member = [&](std::size_t place) {
        return place == 1   ? read_hashes(removed.hashes)
               : place == 2 ? read_name("medium", removed.medium)
               : place == 3 ? read_uint32("group_idx", removed.group)
                            : skip();
      };
      if (!read_rest(head, kRemovedMembers, member)) return false;
      events.emplace_back(std::move(removed));
    } else {
      if (!read_rest(head, kBatchMembers, [&](std::size_t) { return skip(); })) return false;
      if (tag == kCleared) events.emplace_back(AllBlocksCleared());
    }
    return true;
  }

  bool read_events(std::vector<Event>& events) {
    Packed head;
    if (!next(head)) return false;
    if (head.kind != Packed::kArray) return fail("events is no array");
    for (std::uint64_t i = 0; i < head.number; ++i) {
      if (!read_event(events)) return false;
    }
    return true;
  }

  Unpacker in_;
};

}  // namespace

std::string encode(const Batch& batch) {
  std::string bytes;
  Packer out(bytes);
  out.array(3);
  out.real(batch.time);
  out.array(static_cast<std::uint32_t>(batch.events.size()));
  for (const Event& event : batch.events) std::visit(PackEvent{out}, event);
  out.whole_signed(batch.rank);
  return bytes;
}

Result<Batch> decode(std::string_view payload) {
  Batch batch;
  Reader reader(payload);
  if (!reader.read_batch(batch)) return invalid("", "a batch of KV events cannot be read: " + reader.wrong);
  return batch;
}

std::string sequence_frame(std::uint64_t number) {
  std::string frame;
  for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(number >> shift);
  return frame;
}

std::optional<std::uint64_t> sequence_of(std::string_view frame) {
  if (frame.size() != 8) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : frame) number = number << 8 | static_cast<std::uint8_t>(digit);
  return number;
}

}  // namespace tidegate::kvwire
