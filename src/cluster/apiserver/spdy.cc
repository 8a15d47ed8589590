#include "cluster/apiserver/spdy.h"

#include <zlib.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace tidegate::apiserver {
namespace {

constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kFieldsMax = 16 * 1024;  // of one block, unpacked
constexpr std::uint32_t kControl = 0x8003;     // a control frame of version 3
constexpr std::uint8_t kFin = 1;
constexpr std::uint32_t kRefused = 3;
constexpr std::uint32_t kStreamMask = 0x7fffffff;

enum Type : std::uint32_t { kSynStream = 1, kSynReply = 2, kRstStream = 3, kPingType = 6, kHeaders = 8 };

// What both sides know before the first field block: words with their lengths, then loose text.
constexpr std::array<std::string_view, 65> kWords = {"options",
                                                     "head",
                                                     "post",
                                                     "put",
                                                     "delete",
                                                     "trace",
                                                     "accept",
                                                     "accept-charset",
                                                     "accept-encoding",
                                                     "accept-language",
                                                     "accept-ranges",
                                                     "age",
                                                     "allow",
                                                     "authorization",
                                                     "cache-control",
                                                     "connection",
                                                     "content-base",
                                                     "content-encoding",
                                                     "content-language",
                                                     "content-length",
                                                     "content-location",
                                                     "content-md5",
                                                     "content-range",
                                                     "content-type",
                                                     "date",
                                                     "etag",
                                                     "expect",
                                                     "expires",
                                                     "from",
                                                     "host",
                                                     "if-match",
                                                     "if-modified-since",
                                                     "if-none-match",
                                                     "if-range",
                                                     "if-unmodified-since",
                                                     "last-modified",
                                                     "location",
                                                     "max-forwards",
                                                     "pragma",
                                                     "proxy-authenticate",
                                                     "proxy-authorization",
                                                     "range",
                                                     "referer",
                                                     "retry-after",
                                                     "server",
                                                     "te",
                                                     "trailer",
                                                     "transfer-encoding",
                                                     "upgrade",
                                                     "user-agent",
                                                     "vary",
                                                     "via",
                                                     "warning",
                                                     "www-authenticate",
                                                     "method",
                                                     "get",
                                                     "status",
                                                     "200 OK",
                                                     "version",
                                                     "HTTP/1.1",
                                                     "url",
                                                     "public",
                                                     "set-cookie",
                                                     "keep-alive",
                                                     "origin"};
constexpr std::string_view kLoose =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

std::string big_endian(std::uint32_t value, int bytes = 4) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

// Requires: four bytes there.
std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

std::string dictionary() {
  std::string text;
  for (const std::string_view word : kWords) {
    text += big_endian(static_cast<std::uint32_t>(word.size()));
    text += word;
  }
  return text.append(kLoose);
}

std::string control_frame(Type type, const std::string& content) {
  return big_endian(kControl, 2) + big_endian(type, 2) +
         big_endian(static_cast<std::uint32_t>(content.size())) + content;
}

// A length and as many bytes, taken from the front.
Result<std::string> take_text(std::string_view& bytes) {
  if (bytes.size() < 4) return fail(Code::kInvalid, "a SPDY field block ends early");
  const std::size_t size = number_at(bytes, 0);
  if (size > bytes.size() - 4) return fail(Code::kInvalid, "a SPDY field block ends early");
  std::string text(bytes.substr(4, size));
  bytes.remove_prefix(4 + size);
  return text;
}

}  // namespace

std::string spdy_data(std::uint32_t stream, std::string_view bytes, bool last) {
  std::string frame = big_endian(stream & kStreamMask) + static_cast<char>(last ? kFin : 0) +
                      big_endian(static_cast<std::uint32_t>(bytes.size()), 3);
  return frame.append(bytes);
}

std::string spdy_reset(std::uint32_t stream) {
  return control_frame(kRstStream, big_endian(stream) + big_endian(kRefused));
}

std::string spdy_ping(std::uint32_t number) { return control_frame(kPingType, big_endian(number)); }

// Four bytes that say "no fields" are stored as they are, so nothing needs to be compressed: zlib's head with
// the dictionary's checksum once, then a stored block of four bytes each, and an empty one: readers that wait
// for a block's successor before they give the block out, as Go's do, get it.
std::string spdy_reply(std::uint32_t stream, bool first) {
  const std::string head = first ? std::string("\x78\x20", 2) + big_endian(0xe3c6a7c2) : std::string();
  const std::string block("\x00\x04\x00\xfb\xff\x00\x00\x00\x00\x00\x00\x00\xff\xff", 14);
  return control_frame(kSynReply, big_endian(stream) + head + block);
}

struct SpdyReader::Inflater {
  Inflater() { TG_CHECK(inflateInit(&zlib) == Z_OK); }
  ~Inflater() { inflateEnd(&zlib); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Result<std::string> unpack(std::string_view block) {
    std::string text(kFieldsMax, '\0');
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    zlib.avail_in = static_cast<uInt>(block.size());
    zlib.next_out = reinterpret_cast<Bytef*>(text.data());
    zlib.avail_out = static_cast<uInt>(text.size());
    int code = inflate(&zlib, Z_SYNC_FLUSH);
    if (code == Z_NEED_DICT) {
      const std::string words = dictionary();
      code = inflateSetDictionary(&zlib, reinterpret_cast<const Bytef*>(words.data()),
                                  static_cast<uInt>(words.size()));
      if (code == Z_OK) code = inflate(&zlib, Z_SYNC_FLUSH);
    }
    if (code != Z_OK && code != Z_BUF_ERROR)
      return fail(Code::kInvalid, "a SPDY field block cannot be unpacked");
    if (zlib.avail_out == 0) return fail(Code::kTooLarge, "a SPDY field block is too large");
    text.resize(text.size() - zlib.avail_out);
    return text;
  }

  z_stream zlib{};
};

SpdyReader::SpdyReader(std::size_t frame_bytes_max)
    : frame_bytes_max_(frame_bytes_max), inflater_(std::make_unique<Inflater>()) {}
SpdyReader::~SpdyReader() = default;

void SpdyReader::feed(std::string_view bytes) {
  in_.erase(0, std::exchange(at_, 0));
  in_.append(bytes);
}

Result<std::map<std::string, std::string>> SpdyReader::fields(std::string_view block) {
  const auto text = inflater_->unpack(block);
  if (!text) return tl::unexpected(text.error());
  std::string_view rest = *text;
  if (rest.size() < 4) return fail(Code::kInvalid, "a SPDY field block ends early");
  const std::uint32_t count = number_at(rest, 0);
  rest.remove_prefix(4);
  std::map<std::string, std::string> found;
  for (std::uint32_t i = 0; i < count; ++i) {  // ends with the text at the latest
    auto name = take_text(rest);
    if (!name) return tl::unexpected(name.error());
    auto value = take_text(rest);
    if (!value) return tl::unexpected(value.error());
    found[*std::move(name)] = *std::move(value);
  }
  return found;
}

Result<std::optional<SpdyFrame>> SpdyReader::control(std::string_view frame) {
  const std::uint32_t first = number_at(frame, 0);
  if (first >> 16 != kControl) return fail(Code::kInvalid, "the SPDY version is not 3");
  const std::uint32_t type = first & 0xffff;
  const bool last = (static_cast<std::uint8_t>(frame[4]) & kFin) != 0;
  const std::string_view content = frame.substr(kHeadBytes);
  const std::size_t needs = type == kSynStream ? 10 : type == kRstStream ? 8 : 4;
  const bool has_fields = type == kSynStream || type == kSynReply || type == kHeaders;
  if (!has_fields && type != kRstStream && type != kPingType) return std::optional<SpdyFrame>();
  if (content.size() < needs) return fail(Code::kInvalid, "a SPDY frame is too short");
  const std::uint32_t stream = number_at(content, 0);
  if (type == kPingType) return SpdyFrame{SpdyKind::kPing, stream};
  if (type == kRstStream) return SpdyFrame{SpdyKind::kReset, stream & kStreamMask};
  // All blocks are one compressed stream: also those of no interest must be unpacked.
  auto unpacked = fields(content.substr(needs));
  if (!unpacked) return tl::unexpected(unpacked.error());
  if (type != kSynStream) return std::optional<SpdyFrame>();
  return SpdyFrame{SpdyKind::kOpen, stream & kStreamMask, last, *std::move(unpacked)};
}

Result<std::optional<SpdyFrame>> SpdyReader::next() {
  while (true) {
    const std::string_view rest = std::string_view(in_).substr(at_);
    if (rest.size() < kHeadBytes) return std::optional<SpdyFrame>();
    const std::size_t size = number_at(rest, 4) & 0xffffff;
    if (size > frame_bytes_max_) {
      return fail(Code::kTooLarge,
                  "a SPDY frame is larger than " + std::to_string(frame_bytes_max_) + " bytes");
    }
    if (rest.size() < kHeadBytes + size) return std::optional<SpdyFrame>();
    const std::string_view frame = rest.substr(0, kHeadBytes + size);
    at_ += frame.size();
    if ((static_cast<std::uint8_t>(frame[0]) & 0x80) == 0) {
      const bool last = (static_cast<std::uint8_t>(frame[4]) & kFin) != 0;
      return SpdyFrame{SpdyKind::kData, number_at(frame, 0), last, {}, std::string(frame.substr(kHeadBytes))};
    }
    auto told = control(frame);
    if (!told || *told) return told;
  }
}

}  // namespace tidegate::apiserver
