#include "engine/unicode/unicode.h"

#include <algorithm>
#include <vector>

#include "engine/unicode/unicode_table.h"

namespace tidegate::unicode {
namespace {

constexpr std::size_t kMarksMax = 64;

// Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
constexpr char32_t kHangulBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161, kTailBase = 0x11A7;
constexpr char32_t kLeads = 19, kVowels = 21, kTails = 28, kSyllables = kLeads * kVowels * kTails;

std::uint8_t combining_class(char32_t point) {
  if (point < 0x300) return 0;
  const auto* end = kCombiningRuns + kCombiningRunsSize;
  const auto* run = std::upper_bound(kCombiningRuns, end, point,
                                     [](char32_t p, const CombiningRun& r) { return p < r.first; });
  if (run == kCombiningRuns) return 0;
  --run;
  return point <= run->last ? run->combining_class : 0;
}

void decompose(char32_t point, std::vector<char32_t>& out) {
  if (point < 0xC0) return out.push_back(point);
  if (point >= kHangulBase && point < kHangulBase + kSyllables) {
    const char32_t s = point - kHangulBase;
    out.push_back(kLeadBase + s / (kVowels * kTails));
    out.push_back(kVowelBase + s % (kVowels * kTails) / kTails);
    if (s % kTails != 0) out.push_back(kTailBase + s % kTails);
    return;
  }
  const auto* end = kDecompositions + kDecompositionsSize;
  const auto* found = std::lower_bound(kDecompositions, end, point,
                                       [](const Decomposition& d, char32_t p) { return d.whole < p; });
  if (found == end || found->whole != point) return out.push_back(point);
  decompose(found->first, out);  // the tables nest at most four deep
  if (found->second != 0) decompose(found->second, out);
}

// 0 if the two do not compose.
char32_t compose(char32_t first, char32_t second) {
  if (first >= kLeadBase && first < kLeadBase + kLeads && second >= kVowelBase &&
      second < kVowelBase + kVowels) {
    return kHangulBase + ((first - kLeadBase) * kVowels + (second - kVowelBase)) * kTails;
  }
  if (first >= kHangulBase && first < kHangulBase + kSyllables && (first - kHangulBase) % kTails == 0 &&
      second > kTailBase && second < kTailBase + kTails) {
    return first + (second - kTailBase);
  }
  const auto* end = kCompositions + kCompositionsSize;
  const auto* found = std::lower_bound(kCompositions, end, std::pair(first, second),
                                       [](const Composition& c, const std::pair<char32_t, char32_t>& p) {
                                         return std::pair(c.first, c.second) < p;
                                       });
  return found != end && found->first == first && found->second == second ? found->whole : 0;
}

void order_marks(std::vector<char32_t>& points) {
  for (std::size_t i = 0; i < points.size();) {
    if (combining_class(points[i]) == 0) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < points.size() && end - i < kMarksMax && combining_class(points[end]) != 0) ++end;
    std::stable_sort(points.begin() + static_cast<std::ptrdiff_t>(i),
                     points.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end;
  }
}

void compose_all(std::vector<char32_t>& points) {
  if (points.empty()) return;
  std::size_t out = 0;
  std::size_t starter = points.size();  // index in the output; size() means there is none yet
  int last_class = -1;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t point = points[i];
    const int cc = combining_class(point);
    if (starter != points.size() && last_class < cc) {
      if (const char32_t whole = compose(points[starter], point)) {
        points[starter] = whole;
        continue;
      }
    }
    if (cc == 0) {
      starter = out;
      last_class = -1;
    } else {
      last_class = cc;
    }
    points[out++] = point;
  }
  points.resize(out);
}

bool continues(unsigned char c) { return (c & 0xC0) == 0x80; }

}  // namespace

Category category(char32_t point) {
  const auto* end = kCategoryRuns + kCategoryRunsSize;
  const auto* run = std::upper_bound(kCategoryRuns, end, point,
                                     [](char32_t p, const CategoryRun& r) { return p < r.first; });
  return (run - 1)->category;  // the first run starts at 0
}

Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char c = byte(0);
  if (c < 0x80) return {c, 1, true};
  std::size_t size = 0;
  unsigned char low = 0x80, high = 0xBF;  // what the second byte may be
  char32_t point = 0;
  if (c >= 0xC2 && c <= 0xDF) {
    size = 2;
    point = c & 0x1F;
  } else if (c >= 0xE0 && c <= 0xEF) {
    size = 3;
    point = c & 0x0F;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
  } else if (c >= 0xF0 && c <= 0xF4) {
    size = 4;
    point = c & 0x07;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
  } else {
    return {kReplacement, 1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {kReplacement, i, false};
    point = (point << 6) | (byte(i) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {point, size, true};
}

void append_utf8(std::string& out, char32_t point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (point >> 6)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (point >> 12)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (point >> 18)));
    out.push_back(static_cast<char>(0x80 | ((point >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  }
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const Decoded d = decode_utf8(text);
    if (!d.valid) return false;
    text.remove_prefix(d.size);
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded d = decode_utf8(text);
    if (d.valid) {
      out.append(text.substr(0, d.size));
    } else {
      append_utf8(out, kReplacement);
    }
    text.remove_prefix(d.size);
  }
  return out;
}

std::size_t unfinished_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if (continues(c)) continue;
    const std::size_t size = c >= 0xF0 && c <= 0xF4   ? 4
                             : c >= 0xE0 && c <= 0xEF ? 3
                             : c >= 0xC2 && c <= 0xDF ? 2
                                                      : 1;
    if (size <= back) return 0;
    // Only if what is there can still become a character: decoding must fail for want of bytes, not before.
    return decode_utf8(text.substr(text.size() - back)).size == back ? back : 0;
  }
  return 0;
}

std::string to_nfc(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return std::string(text);
  }
  std::vector<char32_t> points;
  points.reserve(text.size());
  while (!text.empty()) {
    const Decoded d = decode_utf8(text);
    decompose(d.point, points);
    text.remove_prefix(d.size);
  }
  order_marks(points);
  compose_all(points);
  std::string out;
  out.reserve(points.size() * 2);
  for (const char32_t point : points) append_utf8(out, point);
  return out;
}

}  // namespace tidegate::unicode
