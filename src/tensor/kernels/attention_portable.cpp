// Attention in plain C++: for processors without a level of their own. Lanes are loops that the
// compiler may turn into what vector code the baseline has.
#include "tensor/kernels/attention_row.h"
#include "tensor/kernels/attention_tile.h"
#include "tensor/kernels/floats_portable.h"

namespace tru::tensor {
namespace {

struct Portable : FloatWords<FloatsPortable> {
  struct Sum {
    float lane[kPanelLanes];
  };
  using Word = Sum;
  using Blocks = SixRowBlocks<Portable>;
  static constexpr int kVectors = 1;
  static constexpr int kTilePanels = 1;

  static Sum dot(Sum sum, const Word& panel, const Word& row) {
    for (std::int64_t i = 0; i < kPanelLanes; ++i) sum.lane[i] += panel.lane[i] * row.lane[i];
    return sum;
  }
  static Word load(const std::uint32_t* p) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  static Word broadcast(const std::uint32_t* p) {
    Word word;
    std::fill_n(word.lane, kPanelLanes, std::bit_cast<float>(*p));
    return word;
  }
  static Sum zero() { return {}; }
  static void store(float* p, const Sum& value) { std::memcpy(p, &value, sizeof value); }
};

}  // namespace

const AttentionKernels kPortableAttention = {Portable::kValues, Portable::Blocks::kRows,
                                             pack<Portable>, attend<Portable>,
                                             attend_row<FloatsPortable>};

}  // namespace tru::tensor
