# ggml comes from the pinned sdist that tools/fetch_ggml unpacks outside the tracked tree. Its CPU
# back ends are loadable modules, one per instruction set, so that one build serves every machine.
set(TRU_GGML_DIR "${CMAKE_SOURCE_DIR}/third_party/ggml" CACHE PATH "unpacked ggml sources")
if(NOT EXISTS "${TRU_GGML_DIR}/CMakeLists.txt")
  message(FATAL_ERROR "ggml is missing: run tools/fetch_ggml (./run and ./test do)")
endif()

# ggml makes all its CPU variants dependencies of the target ggml, ten minutes of building on two
# cores; this keeps those of TRU_CPU_VARIANTS (names as in ggml/src/CMakeLists.txt).
function(add_dependencies target)
  if(target STREQUAL "ggml" AND "${ARGN}" MATCHES "^ggml-cpu-(.+)$" AND TRU_CPU_VARIANTS
     AND NOT CMAKE_MATCH_1 IN_LIST TRU_CPU_VARIANTS)
    return()
  endif()
  _add_dependencies(${target} ${ARGN})
endfunction()

set(BUILD_SHARED_LIBS ON)
set(GGML_BACKEND_DL ON CACHE BOOL "" FORCE)
set(GGML_CPU_ALL_VARIANTS ON CACHE BOOL "" FORCE)
set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
set(GGML_OPENMP OFF CACHE BOOL "" FORCE)
set(GGML_LLAMAFILE ON CACHE BOOL "" FORCE)
set(GGML_CCACHE OFF CACHE BOOL "" FORCE)
add_subdirectory("${TRU_GGML_DIR}" "${CMAKE_BINARY_DIR}/ggml" EXCLUDE_FROM_ALL SYSTEM)
set(BUILD_SHARED_LIBS OFF)
