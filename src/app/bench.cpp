#include "app/commands.h"
#include "app/exit_code.h"

namespace tru::app {

int bench(const BenchOptions&, std::stop_token) {
  return report({ErrorCode::internal, "tru bench is not there yet"});
}

}  // namespace tru::app
