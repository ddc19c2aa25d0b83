#include "tensor/kernels/cpu_level.h"

#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tru::tensor {
namespace {

#if defined(__x86_64__)
// Tiles, and products of int8 and of bf16. Linux lets a process use them when it has asked.
bool supports_amx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kWanted = 1u << 22 | 1u << 24 | 1u << 25;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kWanted) != kWanted) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool supports(CpuLevel level) {
  switch (level) {
    case CpuLevel::portable:
      return true;
    case CpuLevel::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    case CpuLevel::avx_vnni:
      return supports(CpuLevel::avx2) && __builtin_cpu_supports("avxvnni");
    case CpuLevel::avx512_vnni:
      return supports(CpuLevel::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
    case CpuLevel::amx:
      return supports(CpuLevel::avx512_vnni) && __builtin_cpu_supports("avx512bf16") &&
             supports_amx();
  }
  return false;
}
#else
bool supports(CpuLevel level) {
  return level == CpuLevel::portable;
}
#endif

CpuLevel choose_level() {
  const auto levels = supported_cpu_levels();
  const char* wanted = std::getenv("TRU_CPU_LEVEL");
  if (wanted != nullptr) {
    for (const CpuLevel level : levels) {
      if (to_string(level) == wanted) return level;
    }
  }
  return levels.back();
}

}  // namespace

std::vector<CpuLevel> supported_cpu_levels() {
  std::vector<CpuLevel> levels;
  for (const CpuLevel level : {CpuLevel::portable, CpuLevel::avx2, CpuLevel::avx_vnni,
                               CpuLevel::avx512_vnni, CpuLevel::amx}) {
    if (supports(level)) levels.push_back(level);
  }
  return levels;
}

CpuLevel cpu_level() {
  static const CpuLevel level = choose_level();
  return level;
}

std::string_view to_string(CpuLevel level) {
  switch (level) {
    case CpuLevel::portable:
      return "portable";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::avx_vnni:
      return "avx_vnni";
    case CpuLevel::avx512_vnni:
      return "avx512_vnni";
    case CpuLevel::amx:
      return "amx";
  }
  return "";
}

}  // namespace tru::tensor
