// Compiled once for each level, with that level's instructions.
#include <hwy/highway.h>

#include "contenders.h"
#include "tensor/kernels/linear_tile.h"

namespace tru::bench {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using tensor::PackedFormat;

struct Highway {
  static constexpr hn::CappedTag<std::int32_t, 16> kInts{};
  static constexpr hn::CappedTag<float, 16> kFloats{};
  static constexpr hn::CappedTag<std::int16_t, 32> kShorts{};
  static constexpr hn::CappedTag<std::uint16_t, 32> kWords{};
  using Int = hn::Vec<decltype(kInts)>;
  using Float = hn::Vec<decltype(kFloats)>;
  static constexpr int kVectors = 16 / static_cast<int>(hn::MaxLanes(kInts));
  static constexpr int kTilePanels = 2 / kVectors;
  static constexpr bool kSignedWeights = false;
  static_assert(kVectors <= 2, "not the level that CMakeLists.txt asks for");

  // Highway 1.0.3 multiplies no bytes: the even ones and then the odd ones as 16-bit numbers.
  static Int dot(Int sum, Int weights, Int inputs) {
    const auto w = hn::BitCast(kWords, weights);
    const auto x = hn::BitCast(kShorts, inputs);
    const auto even = hn::BitCast(kShorts, hn::And(w, hn::Set(kWords, 0xFF)));
    const auto odd = hn::BitCast(kShorts, hn::ShiftRight<8>(w));
    Int unused = hn::Zero(kInts);
    sum = hn::ReorderWidenMulAccumulate(kInts, even, hn::ShiftRight<8>(hn::ShiftLeft<8>(x)), sum,
                                        unused);
    sum.raw = tensor::pinned(sum.raw);
    sum = hn::ReorderWidenMulAccumulate(kInts, odd, hn::ShiftRight<8>(x), sum, unused);
    sum.raw = tensor::pinned(sum.raw);
    return sum;
  }

  template <PackedFormat format>
  static Int part(const std::byte* p, int) {
    static_assert(format == PackedFormat::int8);
    return hn::LoadU(kInts, reinterpret_cast<const std::int32_t*>(p));
  }

  static Int broadcast(const std::byte* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return hn::Set(kInts, four);
  }
  static Int set1(std::int32_t value) { return hn::Set(kInts, value); }
  static Float set1(float value) { return hn::Set(kFloats, value); }
  static Int add_shifted(Int a, Int b) { return hn::Add(a, hn::ShiftLeft<8>(b)); }
  static Float convert(Int value) { return hn::ConvertTo(kFloats, value); }
  static Float fma(Float a, Float b, Float c) { return hn::MulAdd(a, b, c); }
  static Float mul(Float a, Float b) { return hn::Mul(a, b); }
  static Float add(Float a, Float b) { return hn::Add(a, b); }
  static Float load(const float* p) { return hn::LoadU(kFloats, p); }
  static void store(float* p, Float value) { hn::StoreU(value, kFloats, p); }
};

}  // namespace

void MULTIPLY(const tensor::LinearTask& task) {
  tensor::multiply_format<Highway, PackedFormat::int8>(task);
}

}  // namespace tru::bench
