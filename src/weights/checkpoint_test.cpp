#include "weights/checkpoint.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "weights/tensor_list.h"

namespace tru::weights {
namespace {

TEST(Checkpoint, FixturesHoldExactlyTheExpectedTensors) {
  for (const char* model : {"dense-tied", "dense-sharded", "moe", "deepstack4"}) {
    SCOPED_TRACE(model);
    const auto dir = std::filesystem::path(TRU_TEST_DATA) / "models" / model;
    const Result<Checkpoint> checkpoint = Checkpoint::open(dir.string());
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  }
}

}  // namespace
}  // namespace tru::weights
