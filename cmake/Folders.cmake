# tru_folder(NAME USES ...): src/NAME/**/*.cpp becomes the library tru_NAME, and its *_test.cpp
# the program test_NAME, registered with ctest under the label NAME.
function(_tru_sources name sources tests)
  file(GLOB_RECURSE all CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.cpp")
  set(test_files ${all})
  list(FILTER test_files INCLUDE REGEX "_test\\.cpp$")
  list(FILTER all EXCLUDE REGEX "(_test|/main)\\.cpp$")
  set(${sources} ${all} PARENT_SCOPE)
  set(${tests} ${test_files} PARENT_SCOPE)
endfunction()

function(tru_folder name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  _tru_sources(${name} sources tests)
  if(NOT sources)
    add_library(tru_${name} INTERFACE)
    target_include_directories(tru_${name} INTERFACE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(tru_${name} INTERFACE ${ARG_USES})
  else()
    add_library(tru_${name} STATIC ${sources})
    target_include_directories(tru_${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(tru_${name} PUBLIC ${ARG_USES} PRIVATE tru_warnings)
  endif()
  if(TRU_TESTS AND tests)
    tru_tests(${name} tru_${name} ${tests})
  endif()
endfunction()

# tru_tests(NAME LIBRARY SOURCES...): the program test_NAME, registered with ctest as NAME and under
# that label.
function(tru_tests name library)
  add_executable(test_${name} ${ARGN})
  target_link_libraries(test_${name} PRIVATE ${library} tru_warnings GTest::gmock_main)
  target_compile_definitions(test_${name} PRIVATE
    TRU_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data" TRU_DOCS="${CMAKE_SOURCE_DIR}/docs")
  add_test(NAME ${name} COMMAND test_${name})
  set_tests_properties(${name} PROPERTIES LABELS ${name} TIMEOUT 900)
endfunction()

# tru_program(NAME FOLDER USES ...): src/FOLDER as a library, plus its main.cpp as bin/NAME.
function(tru_program program folder)
  tru_folder(${folder} ${ARGN})
  if(EXISTS "${CMAKE_SOURCE_DIR}/src/${folder}/main.cpp")
    add_executable(${program} "${CMAKE_SOURCE_DIR}/src/${folder}/main.cpp")
    target_link_libraries(${program} PRIVATE tru_${folder} tru_warnings)
  endif()
endfunction()
