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
  static constexpr int kStepColumns = 2;
  static_assert(kVectors <= 2, "not the level that CMakeLists.txt asks for");

  static Int dot(Int sum, Int weights, Int inputs) {
    Int unused = hn::Zero(kInts);
    sum = hn::ReorderWidenMulAccumulate(kInts, hn::BitCast(kShorts, weights),
                                        hn::BitCast(kShorts, inputs), sum, unused);
    sum.raw = tensor::pinned(sum.raw);
    return sum;
  }

  template <PackedFormat format>
  static Int part(const std::byte* p, int step) {
    static_assert(format == PackedFormat::int8);
    const auto bytes = hn::LoadU(kWords, reinterpret_cast<const std::uint16_t*>(p));
    return hn::BitCast(
        kInts, step == 0 ? hn::And(bytes, hn::Set(kWords, 0xFF)) : hn::ShiftRight<8>(bytes));
  }

  static Int broadcast(const std::byte* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return hn::Set(kInts, four);
  }
  static Int set1(std::int32_t value) { return hn::Set(kInts, value); }
  static Float set1(float value) { return hn::Set(kFloats, value); }
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
