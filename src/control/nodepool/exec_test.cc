#include "control/nodepool/exec.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace tidegate::nodepool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script, "script"}; }

TEST(RunProgram, HandsOverTheInputAndTheWord) {
  const auto answer =
      run_program(shell("test \"$1\" = create && grep -q gpu-1"), "create", "{\"machine\": \"gpu-1\"}", seconds(20));
  EXPECT_TRUE(answer.ok) << answer.message;
}

TEST(RunProgram, ItsLastWordIsTheReason) {
  const auto answer = run_program(shell("echo trying >&2; echo no quota left >&2; exit 3"), "create", "{}", seconds(20));
  EXPECT_TRUE(answer.done);
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.message, "/bin/sh ended with status 3: no quota left");
}

TEST(RunProgram, IsBounded) {
  const auto answer = run_program(shell("sleep 60"), "create", "{}", milliseconds(100));
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.message, "/bin/sh did not end within 100 ms");
  const auto flood = run_program(shell("cat >/dev/null; yes >&2"), "create", std::string(1 << 20, 'x'), milliseconds(300));
  EXPECT_FALSE(flood.ok);
}

TEST(RunProgram, DoesNotNeedAListener) {
  EXPECT_TRUE(run_program({"/bin/true"}, "create", std::string(1 << 20, 'x'), seconds(20)).ok);
  const auto missing = run_program({"/no/such/program"}, "create", "{}", seconds(20));
  EXPECT_EQ(missing.message, "cannot start /no/such/program: No such file or directory");
}

TEST(Exec, AnswersOncePerMachineAndCall) {
  Exec exec;
  exec.ask("create", "gpu-1", {"/bin/true"}, "{}", seconds(20));
  exec.ask("create", "gpu-2", {"/bin/false"}, "{}", seconds(20));
  for (int i = 0; i < 2000 && exec.busy(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(exec.answers().at("create/gpu-1").ok);
  EXPECT_FALSE(exec.answers().at("create/gpu-2").ok);
  exec.forget([](const std::string& machine) { return machine == "gpu-1"; });
  EXPECT_EQ(exec.answers().size(), 1u);
}

}  // namespace
}  // namespace tidegate::nodepool
