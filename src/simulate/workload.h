// What is asked, and when: a trace as it was read or a shape as it was drawn.
//
// Thread: values.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "simulate/blocks.h"

namespace tidegate::simulate {

struct Arrival {
  Duration at{};                    // since the beginning
  std::uint32_t prompt = 1;         // tokens
  std::uint32_t answer = 1;         // tokens
  std::uint32_t content_begin = 0;  // in Workload::content
  std::uint32_t content_count = 0;
};

struct Workload {
  std::string name;
  std::vector<Arrival> arrivals;       // in order of time
  std::vector<ContentId> content;      // of the prompts' blocks, where the trace tells
  std::uint32_t content_tokens = 512;  // tokens of one such block
  Duration length{};                   // until when it speaks, which may be after the last arrival
};

}  // namespace tidegate::simulate
