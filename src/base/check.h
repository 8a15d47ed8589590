// TG_CHECK guards what only a programming mistake can break. It aborts with the place and the condition; nothing that
// arrives from outside (a request, a file, an object) may ever reach one.

#pragma once

#include <cstdio>
#include <cstdlib>

#define TG_CHECK(condition)                                                                        \
  do {                                                                                             \
    if (!(condition)) [[unlikely]] {                                                               \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);           \
      std::abort();                                                                                \
    }                                                                                              \
  } while (false)
