// gRPC, loaded when a pool first needs it. Its fifty libraries would cost every gateway six megabytes and
// some milliseconds at its start, so that they hang on a shared object beside the program, not on the
// program.
//
// Thread: open, talk and close of one session from one thread; cancel from any.

#pragma once

#include "base/result.h"
#include "control/externalgrpc/group.h"

namespace tidegate::externalgrpc {

struct Session;  // a connection to one service; the module's own

struct Module {
  Session* (*open)(const Service& service);
  // One turn. Blocks, each call for the service's timeout at most.
  void (*talk)(Session* session, const Order& order, Answer& answer);
  // Tells the service that nobody will ask any more. Blocks for a second at most.
  void (*clean_up)(Session* session);
  // Ends the call that is under way, and all later ones.
  void (*cancel)(Session* session);
  void (*close)(Session* session);
};

// The module beside this program. Errors: kUnavailable with what to install.
Result<const Module*> load_module();

}  // namespace tidegate::externalgrpc
