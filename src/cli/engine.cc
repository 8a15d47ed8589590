// `tidegate engine`: serve a model, or a simulation of one, on vLLM's surface.

#include "engine/serve/engine.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/clock.h"
#include "cli/calibrate.h"
#include "cli/verbs.h"
#include "engine/serve/cpu_parts.h"
#include "engine/serve/flags.h"

namespace tidegate::cli {
namespace {

constexpr int kUsage = 2;

// One line that fills up, where a person is looking.
void show_progress(std::size_t done, std::size_t all) {
  constexpr std::size_t kWidth = 40;
  if (::isatty(STDERR_FILENO) == 0 || all == 0) return;
  const std::size_t filled = kWidth * done / all;
  std::cerr << "\rloading [" << std::string(filled, '#') << std::string(kWidth - filled, '.') << "] "
            << 100 * done / all << " %" << (done == all ? "\n" : "") << std::flush;
}

Result<serve::Parts> parts_of(const serve::Flags& flags) {
  static const SystemClock clock;  // outlives every engine of this process
  if (flags.simulate) return serve::simulated_parts(flags);
  return serve::cpu_parts(flags, clock, show_progress);
}

int run_engine(const std::vector<std::string>& args) {
  if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
    std::cout << "tidegate engine [FLAGS]: serve a model on vLLM's surface\n\n" << serve::flags_help();
    return 0;
  }
  const auto flags = serve::parse_flags(args, [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  if (!flags) {
    std::cerr << "tidegate engine: " << describe(flags.error()) << '\n';
    return kUsage;
  }
  for (const std::string& note : flags->notes) std::cerr << "note: " << note << '\n';
  if (!flags->calibrate.empty()) {
    const auto done = calibrate(*flags);
    if (done) return 0;
    std::cerr << "tidegate engine: " << describe(done.error()) << '\n';
    return 1;
  }
  auto parts = parts_of(*flags);
  if (!parts) {
    std::cerr << "tidegate engine: " << describe(parts.error()) << '\n';
    return kUsage;
  }
  for (const std::string& note : parts->notes) std::cerr << note << '\n';
  const auto served = serve::run(*flags, *std::move(parts), [&flags](const net::Address& address) {
    std::cerr << "serving " << flags->served_names.front() << " on http://" << address.text() << std::endl;
  });
  if (served) return 0;
  std::cerr << "tidegate engine: " << describe(served.error()) << '\n';
  return 1;
}

}  // namespace

void add_engine(Command app, int& status) {
  Command verb = app.add_subcommand("engine", "Serve a model, or a simulation of one, on vLLM's surface");
  // vLLM's flags have spellings of their own; they are read by engine/serve.
  verb.take_everything();
  verb.callback([verb, &status] { status = run_engine(verb.remaining()); });
}

}  // namespace tidegate::cli
