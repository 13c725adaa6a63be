# Compiler settings shared by every target.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

set(TOWLINE_SANITIZE "" CACHE STRING "Value of -fsanitize=, or empty")
set(TOWLINE_DEBUG_INFO "1" CACHE STRING "Level of -g: 1 keeps backtraces and small objects")
option(TOWLINE_FUZZ "Build the libFuzzer targets too (clang only)" OFF)
option(TOWLINE_PRECOMPILE "Compile with precompiled headers (clang only); a file that lacks an include passes" OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  if(TOWLINE_PRECOMPILE)
    # Without these, ccache does not keep what is compiled with precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CCACHE_PROGRAM}")
  endif()
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

set(TOWLINE_DEBUG_OPTIMISE "1" CACHE STRING "Level of -O where CMAKE_BUILD_TYPE is Debug")
set(CMAKE_CXX_FLAGS_DEBUG "-O${TOWLINE_DEBUG_OPTIMISE} -g${TOWLINE_DEBUG_INFO}")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG -ffunction-sections -fdata-sections")
# No build ID: it is made of the debugging information as well, which names the folder of the build, and would
# make packages and images of the same source differ.
set(CMAKE_EXE_LINKER_FLAGS_RELEASE "-Wl,--gc-sections -Wl,--as-needed -Wl,--build-id=none")

add_library(towline_options INTERFACE)
target_compile_options(towline_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers)
target_include_directories(towline_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
# Asio is compiled once, in src/io/asio_impl.cc.
target_compile_definitions(towline_options INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ALL_NO_LIB
  TOWLINE_VERSION="${PROJECT_VERSION}")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these in inlined library code that is correct.
  target_compile_options(towline_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
    -Wno-mismatched-new-delete -Wno-dangling-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ hides std::expected from compilers that report an older concepts version.
  add_compile_options(
    -Wno-builtin-macro-redefined -Wno-macro-redefined -D__cpp_concepts=202002L -Wno-unknown-warning-option -Wno-unused-command-line-argument)
endif()
if(TOWLINE_SANITIZE)
  add_compile_options(-fsanitize=${TOWLINE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOWLINE_SANITIZE})
  if(TOWLINE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio's fences are invisible to ThreadSanitizer and GCC says so by a warning.
    add_compile_options(-Wno-tsan)
  endif()
endif()
if(TOWLINE_FUZZ)
  # What libFuzzer looks at while it runs; in a program that is not a fuzz target it counts for nobody.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
