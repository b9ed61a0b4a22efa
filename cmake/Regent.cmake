# The policy of the build, in two functions and one interface target.
#
#   regent_library(name [HEADERS …] [SOURCES …] [DEPS …])   library regent_<name>, alias regent::<name>
#   regent_program(name SOURCES … [DEPS …])                 executable <name>, installed
#   regent_test(name LABEL … [TIMEOUT s] [RUNS_NO_GRPC] [AS_ONE …] SOURCES … [DEPS …])
#                                             GoogleTest program, its tests found by ctest; under a
#                                             sanitizer one test of ctest's
#
# RUNS_NO_GRPC: it links gRPC and makes no server and no channel, so the thread sanitizer may see it.
# AS_ONE: ctest runs all of it as the one test of that name.
#
# Paths of files are relative to the caller; #include paths start at the root of the repository.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache wants before it keeps what a precompiled header went into.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE}")
endif()
find_program(MOLD mold)

add_library(regent_options INTERFACE)
target_compile_options(regent_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
  -Wno-missing-field-initializers  # designated initialisers leave out what has its default
  # g++ 12 takes maps in moved aggregates for uninitialised; clang and the sanitizers still look.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/="
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(MOLD)
  target_link_options(regent_options INTERFACE -fuse-ld=mold)
endif()

set(REGENT_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined")
if(REGENT_SANITIZE)
  add_compile_options(-fsanitize=${REGENT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${REGENT_SANITIZE})
endif()
if(REGENT_SANITIZE MATCHES "address")
  # A null pointer, the wrong type behind one and what lies beyond an object end in a report of the
  # address sanitizer too; asked for twice, they are a quarter of the time of compiling.
  add_compile_options(-fno-sanitize=null,object-size,vptr)
endif()

# libFuzzer's programs (tests/fuzz) want to see which ways the code of the libraries has gone.
set(REGENT_FUZZES OFF)
if(REGENT_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(REGENT_FUZZES ON)
endif()

# What tests/run builds of a preset; the labels of the tests in them stand in regent_test.
add_custom_target(release_tests COMMENT "Programs, and all tests but the unit tests")
add_custom_target(asan_tests COMMENT "Tests that run under the address and undefined sanitizers")
add_custom_target(tsan_tests COMMENT "Tests that run under the thread sanitizer")

# Under a sanitizer -O0 halves the time of compiling; what runs through thousands of seeds is worth
# more, under the address sanitizer. Less is inlined there than usual: every copy brings all its
# checks along.
function(regent_optimize_hot target)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE directory)
  if(REGENT_SANITIZE MATCHES "address" AND directory MATCHES
      "^(common/(base|model|runtime|zk)|controller/core|broker-agent/(core|log)|tests/s.*)$")
    target_compile_options(${target} PRIVATE -O1)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      target_compile_options(${target} PRIVATE "SHELL:-mllvm -inline-threshold=75")
    endif()
  endif()
endfunction()

# Most of the time of compiling goes into headers and templates, which every source brings anew. So
# several sources of a target are compiled as one, with precompiled what nearly all of them include. The
# presets debug and clang do neither, for one who changes a source again and again; nor does
# tests/lint/tidy with the sources that have changed, and finds one that leans on its neighbours.
option(REGENT_UNITE "Compile several sources of a target as one, with precompiled headers" ON)

function(regent_unite target)
  if(REGENT_UNITE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # g++ takes every source that is not the first for a header that shows its unnamed namespace.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

if(REGENT_UNITE)
  add_compile_options(-pthread)  # What is precompiled and who includes it agree in such options.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  endif()
endif()

# Sets `result` to whether `target` links `library`, at any depth.
function(regent_links target library result)
  set(pending ${target})
  set(seen "")
  while(pending)
    list(POP_FRONT pending next)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" next "${next}")
    if(next STREQUAL library)
      set(${result} ON PARENT_SCOPE)
      return()
    endif()
    if(NOT TARGET "${next}" OR next IN_LIST seen)
      continue()
    endif()
    list(APPEND seen ${next})
    foreach(property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
      get_target_property(linked ${next} ${property})
      if(linked)
        list(APPEND pending ${linked})
      endif()
    endforeach()
  endwhile()
  set(${result} OFF PARENT_SCOPE)
endfunction()

# regent_precompile(target [HEADER …]): `target` includes the standard headers, and these, precompiled;
# gRPC's too, if it links that. It links regent_options; its options and what it links are final.
function(regent_precompile target)
  if(NOT REGENT_UNITE)
    return()
  endif()
  get_target_property(options ${target} COMPILE_OPTIONS)
  regent_links(${target} gRPC::grpc++ links_grpc)
  if(links_grpc)
    list(APPEND ARGN <grpcpp/grpcpp.h>)
  endif()
  string(MD5 key "${options};${ARGN}")
  set(owner regent_precompiled_${key})
  if(NOT TARGET ${owner})
    set(empty "${PROJECT_BINARY_DIR}/precompiled.cc")
    if(NOT EXISTS "${empty}")
      file(TOUCH "${empty}")  # Once: whoever configures again compiles nothing anew.
    endif()
    add_library(${owner} OBJECT "${empty}")
    target_precompile_headers(${owner} PRIVATE <algorithm> <array> <atomic> <chrono>
      <condition_variable> <cstdint> <deque> <functional> <map> <memory> <mutex> <optional> <set>
      <span> <sstream> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
      ${ARGN})
    target_compile_options(${owner} PRIVATE ${options})
    target_link_libraries(${owner} PRIVATE regent_options)
    if(ARGN MATCHES "gmock")
      target_link_libraries(${owner} PRIVATE GTest::gmock)  # For its macros.
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

function(regent_library name)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES;DEPS" ${ARGN})
  set(target regent_${name})
  if(ARG_SOURCES)
    add_library(${target} STATIC)
    target_sources(${target} PRIVATE ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE regent_options)
    regent_optimize_hot(${target})
    regent_unite(${target})
    if(REGENT_FUZZES AND NOT "${CMAKE_CURRENT_SOURCE_DIR}" MATCHES "^${PROJECT_SOURCE_DIR}/tests/")
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    set(precompiles ON)
  else()
    set(precompiles OFF)
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(regent::${name} ALIAS ${target})
  if(ARG_HEADERS)
    target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}"
      FILES ${ARG_HEADERS})
  else()
    target_include_directories(${target} ${scope} "${PROJECT_SOURCE_DIR}")
  endif()
  target_link_libraries(${target} ${scope} ${ARG_DEPS})
  if(precompiles)
    regent_precompile(${target})
  endif()
  if(ARG_HEADERS)
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
endfunction()

function(regent_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE regent_options ${ARG_DEPS})
  regent_precompile(${name})
  add_dependencies(release_tests ${name})
  add_dependencies(asan_tests ${name})  # so that clang compiles all there is
  install(TARGETS ${name} RUNTIME)
endfunction()

function(regent_test name)
  cmake_parse_arguments(ARG "RUNS_NO_GRPC" "LABEL;TIMEOUT;AS_ONE" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE regent_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  regent_optimize_hot(${name})
  regent_unite(${name})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo"
      AND NOT ARG_LABEL STREQUAL "simulation")
    # The least time to compile of all that optimizes; GoogleTest says the line of what failed.
    target_compile_options(${name} PRIVATE -Og -g0)
  endif()
  regent_precompile(${name} <gmock/gmock.h> <gtest/gtest.h>)
  if(ARG_LABEL MATCHES "^(unit|scenario|simulation)$")
    add_dependencies(asan_tests ${name})
  endif()
  if(NOT ARG_LABEL STREQUAL "unit")
    add_dependencies(release_tests ${name})
  endif()
  if(REGENT_SANITIZE STREQUAL "thread")
    # Debian's gRPC is not instrumented: where it runs it raises false alarms. What does not link the
    # runtime has one thread, as have scenarios and simulations.
    regent_links(${name} gRPC::grpc++ links_grpc)
    regent_links(${name} regent::runtime links_runtime)
    if((links_grpc AND NOT ARG_RUNS_NO_GRPC) OR NOT links_runtime OR
        NOT ARG_LABEL MATCHES "^(unit|integration)$")
      set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
      return()
    endif()
    add_dependencies(tsan_tests ${name})
    set(ARG_LABEL tsan)
    set(environment
      ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1 suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp")
  endif()
  if(REGENT_SANITIZE)
    # There the start of a process takes longer than most tests. What is likely to run long begins
    # first; tests/run counts by what GoogleTest writes.
    add_test(NAME ${name} COMMAND ${name}
      --gtest_output=xml:${PROJECT_BINARY_DIR}/results/${name}.xml)
    set_tests_properties(${name} PROPERTIES
      LABELS ${ARG_LABEL} TIMEOUT 900 COST ${ARG_TIMEOUT} ${environment})
    return()
  endif()
  if(ARG_AS_ONE)
    add_test(NAME ${ARG_AS_ONE} COMMAND ${name})
    set_tests_properties(${ARG_AS_ONE} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
    return()
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
