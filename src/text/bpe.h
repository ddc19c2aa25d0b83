// Byte pair encoding by merge rank (Sennrich et al. 2016, arXiv:1508.07909; bytes as in GPT-2).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tru::text {

using TokenId = std::int32_t;

// Two neighbours that become one token. The place in the list of merges is the rank: lower first.
struct Merge {
  TokenId left = 0;
  TokenId right = 0;
  TokenId merged = 0;
};

// Immutable after construction: any thread may use it.
class Bpe {
 public:
  // byte_tokens[b] is the token of the byte b. A pair listed twice has its last rank.
  Bpe(std::array<TokenId, 256> byte_tokens, std::vector<Merge> merges);

  // Working memory of encode, kept between words.
  struct Scratch {
    struct Symbol {
      TokenId id;  // -1 once merged into its left neighbour
      std::int32_t previous;
      std::int32_t next;  // -1 at the end
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint64_t> candidates;  // heap of rank << 32 | index of the left symbol
  };

  // Appends the word's tokens to out. n log n in its length, below 2^31 bytes.
  void encode(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;

 private:
  struct Slot {
    std::uint64_t pair;
    std::uint32_t rank;
  };
  std::size_t slot_of(std::uint64_t pair) const;
  void consider(Scratch& scratch, std::int32_t left) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<Merge> merges_;
  std::vector<Slot> slots_;  // open addressing, at most half full
  int slot_bits_ = 0;
};

}  // namespace tru::text
