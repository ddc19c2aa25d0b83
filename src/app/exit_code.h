// Errors -> exit codes and the one line that explains them.
#pragma once

#include "base/error.h"

namespace tru::app {

// 0 ok; the rest are the contract's.
enum ExitCode {
  kOk = 0,
  kFailed = 1,       // the question failed
  kUsage = 2,        // a bad value, flags that exclude each other
  kConfig = 3,       // model or configuration
  kMedia = 4,        // input media
  kCancelled = 130,  // Ctrl-C, as shells count it
};

int exit_code(ErrorCode code);

// Prints "tru: <message>" on stderr and returns the exit code.
int report(const Error& error);

}  // namespace tru::app
