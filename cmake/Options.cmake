option(TRU_TESTS "build the unit tests" ON)
option(TRU_KERNEL_BENCH "build bin/bench_kernels" OFF)
set(TRU_SANITIZE "" CACHE STRING "sanitizers, such as address,undefined or thread")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Release: baseline, AVX2, AVX2 + VNNI, AVX-512, AVX-512 + VNNI, AVX-512 + VNNI + BF16. Other builds
# run on the machine that made them, and one variant is enough. Empty: all of ggml's.
set(variants "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(variants x64 haswell alderlake skylakex cascadelake zen4)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    file(READ /proc/cpuinfo cpu)
    set(variants x64)
    if(cpu MATCHES " avx2 ")
      set(variants haswell)
    endif()
  endif()
endif()
set(TRU_CPU_VARIANTS "${variants}" CACHE STRING
    "ggml CPU back ends to build; the best one for the machine is loaded at run time")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# Our own files are compiled with these; third-party targets are not.
add_library(tru_warnings INTERFACE)
# -Wrestrict: GCC 12 sees overlaps in std::string that are not there (GCC bug 105651).
target_compile_options(tru_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
                                              -Wno-restrict)
option(TRU_WERROR "treat warnings as errors (for tests: users' compilers may know more)" OFF)
if(TRU_WERROR)
  target_compile_options(tru_warnings INTERFACE -Werror)
endif()

if(TRU_SANITIZE)
  add_compile_options(-fsanitize=${TRU_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TRU_SANITIZE})
endif()
