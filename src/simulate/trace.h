// Traces from files: CSV with a header, or JSON lines; either may be gzipped.
//
//   CSV      a time, a prompt length and an answer length, in any order, among any other columns:
//            t_s | timestamp (seconds, or 2023-11-16 18:15:46.68)
//            in_tokens | ContextTokens | input_length | prompt_tokens
//            out_tokens | GeneratedTokens | output_length | completion_tokens
//   JSONL    {"timestamp": ms, "input_length": n, "output_length": n, "hash_ids": [n, ...]}; hash_ids name
//   the
//            prompt's blocks of 512 tokens and may be missing
//
// A trace begins with its first request, whatever its clock said then; rows out of order are put in order.
//
// Thread: any.

#pragma once

#include <string>

#include "base/result.h"
#include "simulate/workload.h"

namespace tidegate::simulate {

// Errors: kNotFound, kTooLarge, kInvalid; Error::field is "FILE" or "FILE:LINE".
Result<Workload> read_trace(const std::string& path);

}  // namespace tidegate::simulate
