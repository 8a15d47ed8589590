#include "resource/names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"

namespace tidegate::resource {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }
bool is_lower_alnum(char c) { return is_lower(c) || is_digit(c); }

// Begins and ends with an `edge` letter, has `edge` letters or `inner` in between.
bool word(std::string_view text, std::size_t max, bool (*edge)(char), std::string_view inner) {
  if (text.empty() || text.size() > max || !edge(text.front()) || !edge(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return edge(c) || inner.find(c) != std::string_view::npos; });
}

bool is_label(std::string_view text) { return word(text, 63, is_lower_alnum, "-"); }

bool is_subdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    // A label of a subdomain may be longer than 63 in Kubernetes' own check.
    if (!word(text.substr(0, dot), 253, is_lower_alnum, "-")) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_address(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return false;
  const std::string copy(text);
  std::array<unsigned char, sizeof(in6_addr)> out;
  return inet_pton(AF_INET, copy.c_str(), out.data()) == 1 ||
         inet_pton(AF_INET6, copy.c_str(), out.data()) == 1;
}

}  // namespace

std::string_view dns_label(std::string_view text) {
  if (is_label(text)) return {};
  return "use at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
}

std::string_view dns_subdomain(std::string_view text) {
  if (is_subdomain(text)) return {};
  return "use at most 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a "
         "letter or "
         "digit";
}

std::string_view rfc1035_label(std::string_view text) {
  if (is_label(text) && is_lower(text.front())) return {};
  return "use at most 63 lower-case letters, digits and '-', beginning with a letter and ending with a "
         "letter or digit";
}

std::string_view port_name(std::string_view text) {
  const bool right = word(text, 15, is_lower_alnum, "-") && std::any_of(text.begin(), text.end(), is_lower) &&
                     text.find("--") == std::string_view::npos;
  if (right) return {};
  return "use at most 15 lower-case letters, digits and single '-', with at least one letter";
}

std::string_view label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  const bool prefix_right = slash == std::string_view::npos || is_subdomain(text.substr(0, slash));
  const std::string_view name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (prefix_right && word(name, 63, is_alnum, "-_.")) return {};
  return "use a name of at most 63 letters, digits, '-', '_' and '.', optionally after a DNS name and '/'";
}

std::string_view label_value(std::string_view text) {
  if (text.empty() || word(text, 63, is_alnum, "-_.")) return {};
  return "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";
}

std::string_view kind_name(std::string_view text) {
  if (word(text, 63, is_alnum, "-") && is_alpha(text.front())) return {};
  return "use at most 63 letters, digits and '-', beginning with a letter";
}

std::string_view header_name(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool right = !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || kMarks.find(c) != std::string_view::npos;
  });
  if (right) return {};
  return "use an HTTP field name of at most 256 letters, digits and marks like '-'";
}

std::string_view hostname(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  if (is_subdomain(rest) && !is_address(rest) && text.size() <= 253) return {};
  return "use a DNS name in lower case like test.com or *.test.com, without port";
}

std::string_view any_host(std::string_view text) {
  if (text == "*" || hostname(ascii::to_lower(text)).empty()) return {};
  return "use a DNS name like test.com or *.test.com, without port, or * for every host";
}

std::string_view env_name(std::string_view text) {
  const bool right = !text.empty() && std::all_of(text.begin(), text.end(),
                                                  [](char c) { return c > ' ' && c < 0x7f && c != '='; });
  if (right) return {};
  return "use printable ASCII letters without '=' and blanks";
}

std::string_view config_key(std::string_view text) {
  const bool right = !text.empty() && text.size() <= 253 && text != "." && !text.starts_with("..") &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
  if (right) return {};
  return "use at most 253 letters, digits, '-', '_' and '.', not '.' and not beginning with '..'";
}

std::string_view ip_address(std::string_view text) {
  if (is_address(text)) return {};
  return "use an IPv4 or IPv6 address";
}

std::string_view absolute_path(std::string_view text) {
  if (text.starts_with('/')) return {};
  return "begin it with '/'";
}

std::optional<long long> duration_ms(std::string_view text) {
  long long total = 0;
  int parts = 0;
  while (!text.empty()) {
    std::size_t digits = 0;
    long long number = 0;
    while (digits < text.size() && digits < 5 && is_digit(text[digits]))
      number = number * 10 + (text[digits++] - '0');
    text.remove_prefix(digits);
    long long unit = 0;
    std::size_t letters = 1;
    if (text.starts_with("ms")) {
      unit = 1;
      letters = 2;
    } else if (text.starts_with('s')) {
      unit = 1000;
    } else if (text.starts_with('m')) {
      unit = 60'000;
    } else if (text.starts_with('h')) {
      unit = 3'600'000;
    }
    if (digits == 0 || unit == 0 || ++parts > 4) return {};
    text.remove_prefix(letters);
    total += number * unit;
  }
  if (parts == 0) return {};
  return total;
}

std::string_view gateway_duration(std::string_view text) {
  if (duration_ms(text)) return {};
  return "use whole hours, minutes, seconds and milliseconds like 500ms, 10s or 1h30m";
}

std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates) {
  if (text.size() > 64) return {};
  // Levenshtein distance over lower-case letters. A third of the letters may differ.
  const std::string wanted = ascii::to_lower(text);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::vector<std::size_t> row;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > 64) continue;
    row.resize(candidate.size() + 1);
    for (std::size_t j = 0; j <= candidate.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= wanted.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t cost = wanted[i - 1] == ascii::lower(candidate[j - 1]) ? 0 : 1;
        const std::size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + cost});
        diagonal = row[j];
        row[j] = next;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  if (!best.empty()) return best;
  // Else what begins alike: targetPortNumber for targetPorts.
  std::size_t longest = 5;
  for (const std::string_view candidate : candidates) {
    std::size_t alike = 0;
    while (alike < wanted.size() && alike < candidate.size() &&
           wanted[alike] == ascii::lower(candidate[alike]))
      ++alike;
    if (alike > longest) {
      longest = alike;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tidegate::resource
