#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "base/assert.h"

namespace tru::text {
namespace {

constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

std::uint64_t pair_of(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) |
         static_cast<std::uint32_t>(right);
}

}  // namespace

Bpe::Bpe(std::array<TokenId, 256> byte_tokens, std::vector<Merge> merges)
    : byte_tokens_(byte_tokens), merges_(std::move(merges)) {
  slot_bits_ = static_cast<int>(std::bit_width(std::max<std::size_t>(merges_.size(), 8))) + 1;
  slots_.assign(std::size_t{1} << slot_bits_, Slot{kNoPair, 0});
  for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
    const std::uint64_t pair = pair_of(merges_[rank].left, merges_[rank].right);
    slots_[slot_of(pair)] = Slot{pair, static_cast<std::uint32_t>(rank)};
  }
}

// The slot that holds pair, or the empty one where it would go.
std::size_t Bpe::slot_of(std::uint64_t pair) const {
  constexpr std::uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
  std::size_t slot = ((pair ^ (pair >> 29)) * kGoldenRatio) >> (64 - slot_bits_);
  while (slots_[slot].pair != pair && slots_[slot].pair != kNoPair) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

// Adds the merge of a symbol and its right neighbour to the candidates, if there is one.
void Bpe::consider(Scratch& scratch, std::int32_t left) const {
  const auto& symbol = scratch.symbols[static_cast<std::size_t>(left)];
  if (symbol.next < 0) return;
  const TokenId right = scratch.symbols[static_cast<std::size_t>(symbol.next)].id;
  const Slot& slot = slots_[slot_of(pair_of(symbol.id, right))];
  if (slot.pair == kNoPair) return;
  scratch.candidates.push_back((std::uint64_t{slot.rank} << 32) | static_cast<std::uint32_t>(left));
  std::push_heap(scratch.candidates.begin(), scratch.candidates.end(), std::greater<>());
}

void Bpe::encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const {
  TRU_ASSERT(word.size() < (std::size_t{1} << 31));
  const auto count = static_cast<std::int32_t>(word.size());
  auto& symbols = scratch.symbols;
  symbols.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    symbols.push_back({byte_tokens_[byte], i - 1, i + 1 < count ? i + 1 : -1});
  }
  auto& candidates = scratch.candidates;
  candidates.clear();
  for (std::int32_t i = 0; i < count; ++i) consider(scratch, i);

  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end(), std::greater<>());
    const std::uint64_t candidate = candidates.back();
    candidates.pop_back();
    const Merge& merge = merges_[candidate >> 32];
    const auto at = static_cast<std::int32_t>(candidate & 0xFFFFFFFF);
    auto& left = symbols[static_cast<std::size_t>(at)];
    // A candidate is out of date once either of its symbols took part in another merge.
    if (left.id != merge.left || left.next < 0) continue;
    auto& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != merge.right) continue;

    left.id = merge.merged;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = at;
    if (left.previous >= 0) consider(scratch, left.previous);
    consider(scratch, at);
  }
  for (std::int32_t i = 0; i >= 0 && i < count; i = symbols[static_cast<std::size_t>(i)].next) {
    out.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

}  // namespace tru::text
