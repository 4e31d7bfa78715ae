# sluice_module(<name> [SOURCES file...] [DEPS target...] [PRIVATE_DEPS target...])
# Defines the static library sluice::<name> of include/sluice/<name> and src/<name>.
function(sluice_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(sluice_${name} STATIC ${ARG_SOURCES})
  add_library(sluice::${name} ALIAS sluice_${name})
  target_include_directories(sluice_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include
                                            PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(sluice_${name} PUBLIC ${ARG_DEPS} PRIVATE sluice::options ${ARG_PRIVATE_DEPS})
endfunction()

# sluice_unit_test(<module> SOURCES file... [DEPS target...])
# Defines the test program <module>_test of tests/unit/<module>; it may include the module's private headers.
function(sluice_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/src/${name} ${CMAKE_SOURCE_DIR}/tests/support)
  target_link_libraries(${name}_test PRIVATE sluice::options sluice::${name} ${ARG_DEPS}
                                             GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name}_test TEST_PREFIX "unit.${name}." DISCOVERY_TIMEOUT 60)
endfunction()

# sluice_knows_made_up_kind(<program>): its table of kinds, with one made up, comes before the library's.
function(sluice_knows_made_up_kind target)
  target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/made_up_kind.cpp)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/event ${CMAKE_SOURCE_DIR}/tests/support)
endfunction()

# sluice_uses_asio(<target>): the target includes Asio or Beast, and shares their precompiled header.
function(sluice_uses_asio target)
  target_link_libraries(${target} PUBLIC sluice::net)
  target_precompile_headers(${target} REUSE_FROM sluice_net)
  # Programs are otherwise compiled with -fPIE, for which the header was not precompiled.
  target_compile_options(${target} PRIVATE -fPIC)
endfunction()
