#include <iostream>

#include "cli/verbs.h"

namespace tidegate::cli {

void add_version(Command app, int& status) {
  Command verb = app.add_subcommand("version", "Print the version");
  verb.callback([&status] {
    std::cout << "tidegate " << TIDEGATE_VERSION << '\n';
    status = 0;
  });
}

}  // namespace tidegate::cli
