// Checks of our own invariants, on in every build: a wrong number is worse than a stopped program.
#pragma once

#include <cstdio>
#include <cstdlib>

#define TRU_ASSERT(condition)                                                                \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
