#include "control/externalgrpc/module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>

namespace tidegate::externalgrpc {
namespace {

constexpr const char* kFile = "tidegate-externalgrpc.so";

std::string beside_program() {
  std::array<char, 4096> path;
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0) return kFile;
  const std::string program(path.data(), static_cast<std::size_t>(size));
  return program.substr(0, program.rfind('/') + 1) + kFile;
}

}  // namespace

Result<const Module*> load_module() {
  const std::string path = beside_program();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    return fail(Code::kUnavailable, "cannot load " + std::string(kFile) + " from the program's folder (" +
                                        (why == nullptr ? "" : why) + "); build it, and install libgrpc++");
  }
  const void* module = dlsym(library, "tidegate_externalgrpc");
  if (module == nullptr)
    return fail(Code::kUnavailable,
                std::string(kFile) + " is of another build; build it together with the program");
  return static_cast<const Module*>(module);
}

}  // namespace tidegate::externalgrpc
