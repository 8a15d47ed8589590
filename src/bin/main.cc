// The program. Only wiring: which verb runs is the command line's choice, what it does is in cli/.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/serve.h"
#include "cli/verbs.h"

namespace {

// CLI11 reports wrong usage with many numbers; scripts need one.
constexpr int kUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (argc > 0 && tidegate::cli::called_as_arena(words[0]))
    return tidegate::cli::run_arena(std::span(words).subspan(1));
  if (argc > 1 && words[1] == "serve") return tidegate::cli::run_serve(std::span(words).subspan(2));
  CLI::App app(
      "Tidegate: routes LLM traffic by model, adapter and live engine state, at home and on Kubernetes",
      "tidegate");
  app.require_subcommand(1);
  int status = 0;
  tidegate::cli::add_all(tidegate::cli::Command(app), status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    // Nothing but a verb is required here, so a word that is none is what came instead.
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty()) {
      std::cerr << "tidegate: '" << argv[1] << "' is no verb; see tidegate --help\n";
      return kUsage;
    }
    return app.exit(error) == 0 ? 0 : kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  } catch (const std::exception& error) {
    std::cerr << "tidegate: " << error.what() << '\n';
    return 1;
  }
  return status;
}
