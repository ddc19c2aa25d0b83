// Which of our kernels this processor can run.
#pragma once

#include <string_view>
#include <vector>

namespace tru::tensor {

// Each level can run what the ones before it can, but for avx_vnni.
enum class CpuLevel {
  portable,     // plain C++
  avx2,         // with FMA and F16C
  avx_vnni,     // AVX2 and dot products of 8 and 16 bits
  avx512_vnni,  // AVX-512 F, BW, DQ, VL and dot products of 8 and 16 bits
  amx,          // and bf16, and tiles of int8 and bf16
};

// All levels of this processor, the best one last.
std::vector<CpuLevel> supported_cpu_levels();

// The level that graphs use: the best one, or a lower one that the environment names as
// TRU_CPU_LEVEL (a name below). That is for tests and measurements of what other machines run.
CpuLevel cpu_level();

// "portable", "avx2", "avx_vnni", "avx512_vnni", "amx"
std::string_view to_string(CpuLevel level);

}  // namespace tru::tensor
