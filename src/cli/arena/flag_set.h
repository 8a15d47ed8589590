// Command lines as arena reads them: Go's pflag rules and its words for mistakes, so that scripts written for
// arena run here and what people know of its errors stays true.
//
//   FlagSet flags;
//   flags.text("name", 0, job.name, "the serving name");
//   flags.list("env", 'e', job.env, "the environment variables");
//   const auto words = flags.parse(arguments);  // what is no flag
//
// "--name=x" and "--name x" are the same; "-n x", "-n=x" and "-nx" too; flags and words may mix; "--" ends
// the flags. A switch takes its value only with "=".
//
// Thread: a value. The targets must outlive it.
// Source: spf13/pflag.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidegate::arena {

class FlagSet {
 public:
  void text(std::string name, char letter, std::string& target, std::string help);
  void integer(std::string name, char letter, std::int64_t& target, std::string help);
  void boolean(std::string name, char letter, bool& target, std::string help);
  // May be given many times.
  void list(std::string name, char letter, std::vector<std::string>& target, std::string help);

  // Everything that is no flag, in order. Errors: kInvalid, in pflag's words.
  Result<std::vector<std::string>> parse(std::span<const std::string> arguments);

  bool given(std::string_view name) const;
  // kInvalid if one of them was not given.
  Result<void> require(const std::vector<std::string>& names) const;

  // One line per flag, for --help.
  std::string usage() const;

 private:
  using Target = std::variant<std::string*, std::int64_t*, bool*, std::vector<std::string>*>;
  struct Flag {
    std::string name;
    char letter = 0;
    Target target;
    std::string help;
    bool given = false;
  };

  Flag* find(std::string_view name);
  Flag* find(char letter);
  Result<void> set(Flag& flag, const std::string& value);
  Result<void> read_long(std::span<const std::string> arguments, std::size_t& at);
  Result<void> read_short(std::span<const std::string> arguments, std::size_t& at);

  std::vector<Flag> flags_;
};

}  // namespace tidegate::arena
