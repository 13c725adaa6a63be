# Precompiled headers for the presets of the sanitizers, which take longest to build: one of what most sources
# include, and one of the tests' libraries beside it. The release preset has none, so that a source which lacks an
# include fails there.
#
#   towline_precompile(<target> towline_precompiled|towline_precompiled_tests)
function(towline_precompile TARGET HEADERS)
  if(TOWLINE_PRECOMPILE)
    target_precompile_headers(${TARGET} REUSE_FROM ${HEADERS})
  endif()
endfunction()

if(NOT TOWLINE_PRECOMPILE)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "TOWLINE_PRECOMPILE needs clang: GCC's precompiled headers save nothing here")
endif()
# One set of flags for libraries and programs, or they cannot share; and no times in the headers, or ccache cannot
# share them either.
add_compile_options(-fPIC)
set(CMAKE_PCH_INSTANTIATE_TEMPLATES ON)

set(EMPTY "${CMAKE_BINARY_DIR}/generated/precompiled.cc")
file(CONFIGURE OUTPUT ${EMPTY} CONTENT "")
foreach(HEADERS towline_precompiled towline_precompiled_tests)
  add_library(${HEADERS} OBJECT ${EMPTY})
  target_link_libraries(${HEADERS} PUBLIC towline_options)
  target_compile_options(${HEADERS} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
endforeach()
set(COMMON <algorithm> <array> <atomic> <boost/json.hpp> <chrono> <cstddef> <cstdint> <expected> <filesystem>
  <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility>
  <variant> <vector>)
target_precompile_headers(towline_precompiled PRIVATE ${COMMON})
target_link_libraries(towline_precompiled_tests PUBLIC GTest::gmock)
target_precompile_headers(towline_precompiled_tests PRIVATE ${COMMON} <gmock/gmock.h> <gtest/gtest.h>)
