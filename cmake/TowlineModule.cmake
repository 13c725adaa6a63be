# towline_module(NAME SOURCES a.cc ... [TESTS a_test.cc ...] [FUZZ x_fuzz.cc ...]
#                [DEPS other modules] [LIBS public libraries] [PRIVATE_LIBS ...] [TEST_LIBS ...] [HOT])
#
# One layer or feature: a static library towline_<NAME> (":" and "/" in a name become "_"), its unit
# tests as one program <NAME>_tests, and its fuzz targets. DEPS are layers; tests/layers_test.py
# checks them against the order of docs/architecture.md. HOT: it and its tests handle megabytes byte by byte.
# Suites that need a database server run as postgres.* of ctest, in tests/CMakeLists.txt.
set(TOWLINE_WITHOUT_SERVER "-Postgres*")
# Under a sanitizer tests/CMakeLists.txt runs whole programs, and nobody needs the single tests' names at once.
set(TOWLINE_DISCOVERY POST_BUILD)
if(TOWLINE_SANITIZE)
  set(TOWLINE_DISCOVERY PRE_TEST)
endif()

function(towline_module NAME)
  cmake_parse_arguments(M "HOT" "" "SOURCES;TESTS;FUZZ;DEPS;LIBS;PRIVATE_LIBS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" ID "${NAME}")
  set(LIB "towline_${ID}")
  add_library(${LIB} STATIC ${M_SOURCES})
  list(TRANSFORM M_DEPS REPLACE "/" "_")
  list(TRANSFORM M_DEPS PREPEND "towline_")
  target_link_libraries(${LIB} PUBLIC towline_options ${M_DEPS} ${M_LIBS} PRIVATE ${M_PRIVATE_LIBS})
  # Tests are a third of the build, and call what is optimised. Under a sanitizer, what handles single bytes needs
  # some optimising, or its tests take minutes; then it cannot have the precompiled headers of the others.
  set(HOT FALSE)
  if(M_HOT AND TOWLINE_SANITIZE AND TOWLINE_DEBUG_OPTIMISE EQUAL 0)
    set(HOT TRUE)
    target_compile_options(${LIB} PRIVATE -O1)
  else()
    towline_precompile(${LIB} towline_precompiled)
  endif()
  if(M_TESTS)
    add_executable(${ID}_tests ${M_TESTS})
    target_link_libraries(${ID}_tests PRIVATE ${LIB} ${M_TEST_LIBS} GTest::gmock GTest::gtest_main)
    if(HOT)
      target_compile_options(${ID}_tests PRIVATE -O1)
    elseif(TOWLINE_SANITIZE)
      towline_precompile(${ID}_tests towline_precompiled_tests)
    else()
      target_compile_options(${ID}_tests PRIVATE -O0)
    endif()
    gtest_discover_tests(${ID}_tests TEST_PREFIX "${ID}." TEST_FILTER "${TOWLINE_WITHOUT_SERVER}"
      DISCOVERY_TIMEOUT 60 DISCOVERY_MODE ${TOWLINE_DISCOVERY} PROPERTIES TIMEOUT 120 LABELS unit)
    set_property(GLOBAL APPEND PROPERTY TOWLINE_TEST_PROGRAMS ${ID}_tests)
  endif()
  foreach(F ${M_FUZZ})
    get_filename_component(N ${F} NAME_WE)
    set_property(GLOBAL APPEND PROPERTY TOWLINE_FUZZ_TARGETS ${N})
    if(TOWLINE_FUZZ)
      add_executable(${N} ${F})
      target_link_libraries(${N} PRIVATE ${LIB} -fsanitize=fuzzer)
    endif()
  endforeach()
endfunction()
