// A verb on the command line and its flags: CLI11 without its headers, which would cost each verb four
// seconds of compilation. The names are mostly CLI11's, and so is their meaning; what no verb has needed yet
// is missing.
//
// Both classes are handles: copies speak of the same verb or flag, which lives as long as bin/main.cc's line.
//
// Thread: the main thread.

#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tidegate::cli {

class Flag {
 public:
  explicit Flag(CLI::Option& option) : option_(&option) {}

  // Help shows the value that stands in the variable now.
  Flag capture_default_str();
  Flag default_str(const std::string& shown);
  Flag type_name(const std::string& shown);
  Flag group(const std::string& title);
  Flag required();
  Flag excludes(Flag other);
  // One word may hold several values.
  Flag delimiter(char between);

  // What is refused before the verb runs.
  Flag between(int least, int most);
  Flag between(double least, double most);
  Flag not_negative();
  Flag one_of(std::vector<std::string> words);
  Flag existing_path();

  std::size_t count() const;

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_subcommand(const std::string& name, const std::string& help);

  // The variable must outlive the parse. The types are those instantiated in command.cc.
  template <typename Value>
  Flag add_option(const std::string& names, Value& value, const std::string& help);
  Flag add_flag(const std::string& names, bool& value, const std::string& help);
  // `set` reads the text; what it answers, if not empty, is why the text is refused.
  Flag add_setting(const std::string& names, std::function<std::string(const std::string&)> set,
                   const std::string& help);

  void callback(std::function<void()> run);
  // Everything behind the verb is its own to read: remaining().
  void take_everything();
  std::vector<std::string> remaining() const;
  void hide();
  void require_subcommand();
  bool subcommand_chosen() const;
  // How often a flag was given.
  std::size_t count(const std::string& name) const;

 private:
  CLI::App* app_;
};

}  // namespace tidegate::cli
