// The tile registers of AMX. Included behind a `#pragma GCC target` with amx-tile.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace tru::tensor {
namespace {

constexpr std::int64_t kAmxSide = 16;      // rows of a tile
constexpr std::int64_t kAmxRowBytes = 64;  // of a tile

struct alignas(64) AmxConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// While it lives, the thread has eight tiles of full size.
class AmxTiles {
 public:
  // A constant: GCC 12 takes it that loading reads the first eight bytes only, and would leave out
  // to write the others.
  AmxTiles() {
    static constexpr AmxConfig kConfig;
    _tile_loadconfig(&kConfig);
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

// GCC 12 does not know that loading a tile reads memory: what was written before is in memory now.
inline void memory_may_be_read_by_tiles() {
  asm volatile("" ::: "memory");
}

}  // namespace
}  // namespace tru::tensor
