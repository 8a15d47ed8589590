#include "cli/arena/flag_set.h"

#include <algorithm>
#include <charconv>

namespace tidegate::arena {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 200)) + "\""; }

bool is_switch(const auto& target) { return std::holds_alternative<bool*>(target); }

// Go's strconv, as far as flags need it.
Result<std::int64_t> integer_of(const std::string& text) {
  std::int64_t value = 0;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (error == std::errc::result_out_of_range)
    return fail(Code::kInvalid, "strconv.ParseInt: parsing " + quoted(text) + ": value out of range");
  if (error != std::errc{} || rest != end)
    return fail(Code::kInvalid, "strconv.ParseInt: parsing " + quoted(text) + ": invalid syntax");
  return value;
}

Result<bool> boolean_of(const std::string& text) {
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return fail(Code::kInvalid, "strconv.ParseBool: parsing " + quoted(text) + ": invalid syntax");
}

}  // namespace

void FlagSet::text(std::string name, char letter, std::string& target, std::string help) {
  flags_.push_back({std::move(name), letter, &target, std::move(help)});
}
void FlagSet::integer(std::string name, char letter, std::int64_t& target, std::string help) {
  flags_.push_back({std::move(name), letter, &target, std::move(help)});
}
void FlagSet::boolean(std::string name, char letter, bool& target, std::string help) {
  flags_.push_back({std::move(name), letter, &target, std::move(help)});
}
void FlagSet::list(std::string name, char letter, std::vector<std::string>& target, std::string help) {
  flags_.push_back({std::move(name), letter, &target, std::move(help)});
}

FlagSet::Flag* FlagSet::find(std::string_view name) {
  const auto found =
      std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

FlagSet::Flag* FlagSet::find(char letter) {
  const auto found =
      std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) { return flag.letter == letter; });
  return found == flags_.end() ? nullptr : &*found;
}

bool FlagSet::given(std::string_view name) const {
  return std::any_of(flags_.begin(), flags_.end(),
                     [&](const Flag& flag) { return flag.name == name && flag.given; });
}

Result<void> FlagSet::require(const std::vector<std::string>& names) const {
  std::string missing;
  for (const std::string& name : names) {
    if (!given(name)) missing += (missing.empty() ? "" : ", ") + quoted(name);
  }
  if (missing.empty()) return {};
  return fail(Code::kInvalid, "required flag(s) " + missing + " not set");
}

Result<void> FlagSet::set(Flag& flag, const std::string& value) {
  flag.given = true;
  const auto refuse = [&](const Error& error) {
    const std::string title =
        flag.letter == 0 ? "--" + flag.name : std::string("-") + flag.letter + ", --" + flag.name;
    return fail(Code::kInvalid,
                "invalid argument " + quoted(value) + " for " + quoted(title) + " flag: " + error.message);
  };
  if (auto* text = std::get_if<std::string*>(&flag.target)) **text = value;
  if (auto* list = std::get_if<std::vector<std::string>*>(&flag.target)) (*list)->push_back(value);
  if (auto* number = std::get_if<std::int64_t*>(&flag.target)) {
    const auto read = integer_of(value);
    if (!read) return refuse(read.error());
    **number = *read;
  }
  if (auto* boolean = std::get_if<bool*>(&flag.target)) {
    const auto read = boolean_of(value);
    if (!read) return refuse(read.error());
    **boolean = *read;
  }
  return {};
}

// "--name", "--name=value", "--name value".
Result<void> FlagSet::read_long(std::span<const std::string> arguments, std::size_t& at) {
  const std::string& argument = arguments[at];
  const std::size_t equals = argument.find('=');
  const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
  if (name.empty() || name[0] == '-')
    return fail(Code::kInvalid, "bad flag syntax: " + argument.substr(0, 200));
  Flag* flag = find(name);
  if (flag == nullptr) return fail(Code::kInvalid, "unknown flag: --" + name.substr(0, 200));
  if (equals != std::string::npos) return set(*flag, argument.substr(equals + 1));
  if (is_switch(flag->target)) return set(*flag, "true");
  if (++at >= arguments.size()) return fail(Code::kInvalid, "flag needs an argument: --" + name);
  return set(*flag, arguments[at]);
}

// "-A", "-n value", "-n=value", "-nvalue"; switches may be joined: "-Af".
Result<void> FlagSet::read_short(std::span<const std::string> arguments, std::size_t& at) {
  const std::string letters = arguments[at].substr(1);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    Flag* flag = find(letters[i]);
    if (flag == nullptr) {
      return fail(Code::kInvalid,
                  std::string("unknown shorthand flag: '") + letters[i] + "' in -" + letters.substr(0, 200));
    }
    const std::string rest = letters.substr(i + 1);
    if (rest.starts_with('=')) return set(*flag, rest.substr(1));
    if (is_switch(flag->target)) {
      if (auto done = set(*flag, "true"); !done) return done;
      continue;
    }
    if (!rest.empty()) return set(*flag, rest);
    if (++at >= arguments.size()) {
      return fail(Code::kInvalid,
                  std::string("flag needs an argument: '") + letters[i] + "' in -" + letters.substr(0, 200));
    }
    return set(*flag, arguments[at]);
  }
  return {};
}

Result<std::vector<std::string>> FlagSet::parse(std::span<const std::string> arguments) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (argument == "--") {
      words.insert(words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1, arguments.end());
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      words.push_back(argument);
      continue;
    }
    const auto read = argument[1] == '-' ? read_long(arguments, at) : read_short(arguments, at);
    if (!read) return tl::unexpected(read.error());
  }
  return words;
}

std::string FlagSet::usage() const {
  std::string out;
  for (const Flag& flag : flags_) {
    std::string head = flag.letter == 0 ? "      " : std::string("  -") + flag.letter + ", ";
    head += "--" + flag.name;
    if (std::holds_alternative<std::string*>(flag.target)) head += " string";
    if (std::holds_alternative<std::int64_t*>(flag.target)) head += " int";
    if (std::holds_alternative<std::vector<std::string>*>(flag.target)) head += " stringArray";
    constexpr std::size_t kColumn = 42;
    head.resize(std::max(head.size() + 2, kColumn), ' ');
    out += head + flag.help + '\n';
  }
  return out;
}

}  // namespace tidegate::arena
