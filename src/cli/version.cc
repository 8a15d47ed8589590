#include <CLI/App.hpp>
#include <iostream>

#include "cli/verbs.h"

namespace tidegate::cli {

void add_version(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("version", "Print the version");
  verb->callback([&status] {
    std::cout << "tidegate " << TIDEGATE_VERSION << '\n';
    status = 0;
  });
}

}  // namespace tidegate::cli
