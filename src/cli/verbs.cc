#include "cli/verbs.h"

namespace tidegate::cli {

void add_all(Command app, int& status) {
  add_up(app, status);
  add_gateway(app, status);
  add_api_server(app, status);
  add_controller(app, status);
  add_engine(app, status);
  add_apply(app, status);
  add_get(app, status);
  add_describe(app, status);
  add_delete(app, status);
  add_logs(app, status);
  add_scale(app, status);
  add_serve(app, status);
  add_top(app, status);
  add_wait(app, status);
  add_check(app, status);
  add_bench(app, status);
  add_simulate(app, status);
  add_shim(app, status);
  add_version(app, status);
}

}  // namespace tidegate::cli
