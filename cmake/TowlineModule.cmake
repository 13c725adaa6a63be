# towline_module(NAME SOURCES a.cc ... [TESTS a_test.cc ...] [FUZZ x_fuzz.cc ...]
#                [DEPS other modules] [LIBS public libraries] [PRIVATE_LIBS ...] [TEST_LIBS ...])
#
# One layer or feature: a static library towline_<NAME> (":" and "/" in a name become "_"), its unit
# tests as one program <NAME>_tests, and its fuzz targets. DEPS are layers; tests/layers_test.py
# checks them against the order of docs/architecture.md.
# Suites that need a database server run as postgres.* of ctest, in tests/CMakeLists.txt.
set(TOWLINE_WITHOUT_SERVER "-Postgres*")
add_custom_target(fuzz_targets)  # all of them, without the programs

function(towline_module NAME)
  cmake_parse_arguments(M "" "" "SOURCES;TESTS;FUZZ;DEPS;LIBS;PRIVATE_LIBS;TEST_LIBS" ${ARGN})
  string(REPLACE "/" "_" ID "${NAME}")
  set(LIB "towline_${ID}")
  add_library(${LIB} STATIC ${M_SOURCES})
  list(TRANSFORM M_DEPS REPLACE "/" "_")
  list(TRANSFORM M_DEPS PREPEND "towline_")
  target_link_libraries(${LIB} PUBLIC towline_options ${M_DEPS} ${M_LIBS} PRIVATE ${M_PRIVATE_LIBS})
  if(M_TESTS AND NOT TOWLINE_FUZZ)
    add_executable(${ID}_tests ${M_TESTS})
    target_link_libraries(${ID}_tests PRIVATE ${LIB} ${M_TEST_LIBS} GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${ID}_tests TEST_PREFIX "${ID}." TEST_FILTER "${TOWLINE_WITHOUT_SERVER}"
      DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120 LABELS unit)
    set_property(GLOBAL APPEND PROPERTY TOWLINE_TEST_PROGRAMS ${ID}_tests)
  endif()
  foreach(F ${M_FUZZ})
    get_filename_component(N ${F} NAME_WE)
    set_property(GLOBAL APPEND PROPERTY TOWLINE_FUZZ_TARGETS ${N})
    if(TOWLINE_FUZZ)
      add_executable(${N} ${F})
      target_link_libraries(${N} PRIVATE ${LIB} -fsanitize=fuzzer)
      add_dependencies(fuzz_targets ${N})
    endif()
  endforeach()
endfunction()
