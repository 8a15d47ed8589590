#include "cli/command.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <optional>

namespace tidegate::cli {

Flag Flag::capture_default_str() {
  option_->capture_default_str();
  return *this;
}

Flag Flag::default_str(const std::string& shown) {
  option_->default_str(shown);
  return *this;
}

Flag Flag::type_name(const std::string& shown) {
  option_->type_name(shown);
  return *this;
}

Flag Flag::group(const std::string& title) {
  option_->group(title);
  return *this;
}

Flag Flag::required() {
  option_->required();
  return *this;
}

Flag Flag::excludes(Flag other) {
  option_->excludes(other.option_);
  return *this;
}

Flag Flag::delimiter(char between) {
  option_->delimiter(between);
  return *this;
}

Flag Flag::between(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Flag Flag::between(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Flag Flag::not_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Flag Flag::one_of(std::vector<std::string> words) {
  option_->check(CLI::IsMember(std::move(words)));
  return *this;
}

Flag Flag::existing_path() {
  option_->check(CLI::ExistingPath);
  return *this;
}

std::size_t Flag::count() const { return option_->count(); }

Command Command::add_subcommand(const std::string& name, const std::string& help) {
  return Command(*app_->add_subcommand(name, help));
}

template <typename Value>
Flag Command::add_option(const std::string& names, Value& value, const std::string& help) {
  return Flag(*app_->add_option(names, value, help));
}

template Flag Command::add_option(const std::string&, std::string&, const std::string&);
template Flag Command::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template Flag Command::add_option(const std::string&, std::filesystem::path&, const std::string&);
template Flag Command::add_option(const std::string&, int&, const std::string&);
template Flag Command::add_option(const std::string&, unsigned&, const std::string&);
template Flag Command::add_option(const std::string&, long&, const std::string&);
template Flag Command::add_option(const std::string&, unsigned long&, const std::string&);
template Flag Command::add_option(const std::string&, double&, const std::string&);
template Flag Command::add_option(const std::string&, std::optional<double>&, const std::string&);
template Flag Command::add_option(const std::string&, std::optional<long>&, const std::string&);

Flag Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Flag(*app_->add_flag(names, value, help));
}

Flag Command::add_setting(const std::string& names, std::function<std::string(const std::string&)> set,
                          const std::string& help) {
  const auto checked = [names, set = std::move(set)](const std::string& text) {
    if (const std::string why = set(text); !why.empty()) throw CLI::ValidationError(names, why);
  };
  return Flag(*app_->add_option_function<std::string>(names, checked, help));
}

void Command::callback(std::function<void()> run) { app_->callback(std::move(run)); }

void Command::take_everything() {
  app_->prefix_command();
  app_->set_help_flag();
}

std::vector<std::string> Command::remaining() const { return app_->remaining(); }
void Command::hide() { app_->group(""); }
void Command::require_subcommand() { app_->require_subcommand(1); }
bool Command::subcommand_chosen() const { return !app_->get_subcommands().empty(); }
std::size_t Command::count(const std::string& name) const { return app_->count(name); }

}  // namespace tidegate::cli
