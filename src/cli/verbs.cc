#include "cli/verbs.h"

namespace tidegate::cli {

void add_all(CLI::App& app, int& status) {
  add_up(app, status);
  add_gateway(app, status);
  add_engine(app, status);
  add_check(app, status);
  add_bench(app, status);
  add_shim(app, status);
  add_version(app, status);
}

}  // namespace tidegate::cli
