# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# How tests and programs are declared.
#
#   settee_test(<target> SOURCES a_test.cc ... [LIBS settee::base ...] [LABELS core]
#               [TIMEOUT seconds] [DEFINITIONS A=1 ...] [RESOURCE_LOCK name ...] [RUN_SERIAL])
#
# makes a GoogleTest program in <tree>/bin and registers each of its cases with ctest as
# <target without _test>.<Suite>.<Case>. Labels: `core` for tests of components (the default; they
# also run under the sanitizers), `interop` for those with foreign peers, `package` for installing,
# `all-only` for what only `./test --all` runs. TIMEOUT is per case (default 60 s; sanitizer trees
# wait four times as long). SETTEE_SOURCE_DIR is defined to the root of the sources, for test data.
#
#   settee_command_test(<test name> COMMAND ... [LABELS core] [TIMEOUT seconds]
#                       [ENVIRONMENT A=1 ...] [RESOURCE_LOCK name ...] [RUN_SERIAL]
#                       [DEPENDS target ...])
#
# registers any command as one test; exit code 77 means skipped. DEPENDS are the targets it runs:
# the target core_tests builds those of tests labelled `core`.
#
#   settee_program(<target> SOURCES ... [LIBS ...] [NO_INSTALL])
#
# makes a program in <tree>/bin, installed with the package of programs unless NO_INSTALL.

if(SETTEE_BUILD_TESTS)
  enable_testing()
  include(GoogleTest)
  # All that `ctest -L core` needs and no more: what the sanitizer trees build.
  add_custom_target(core_tests)
endif()

function(settee_scaled_timeout out seconds)
  if(SETTEE_SANITIZE)
    math(EXPR seconds "${seconds} * 4")
  endif()
  set(${out} ${seconds} PARENT_SCOPE)
endfunction()

# Sanitizer run-time options are compiled into the programs, so that running one by hand behaves as
# ctest does.
function(settee_sanitizer_options target)
  if(SETTEE_SANITIZE)
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/sanitizer_options.cc")
  endif()
endfunction()

function(settee_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "" "SOURCES;LIBS")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBS})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  settee_own_code(${target})
  settee_sanitizer_options(${target})
  if(SETTEE_INSTALL AND NOT arg_NO_INSTALL)
    install(TARGETS ${target} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT settee)
    set_property(GLOBAL APPEND PROPERTY SETTEE_PROGRAMS ${target})
  endif()
endfunction()

function(settee_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "RUN_SERIAL" "TIMEOUT"
    "SOURCES;LIBS;LABELS;DEFINITIONS;RESOURCE_LOCK")
  if(NOT SETTEE_BUILD_TESTS)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS core)
  endif()
  settee_scaled_timeout(timeout ${arg_TIMEOUT})

  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE ${arg_LIBS} GTest::gtest GTest::gtest_main)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE
    "SETTEE_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"" ${arg_DEFINITIONS})
  settee_own_code(${target})
  # The libraries are what is tested. The tests themselves build in three quarters of the time so.
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  settee_sanitizer_options(${target})
  if("core" IN_LIST arg_LABELS)
    add_dependencies(core_tests ${target})
  endif()

  string(REGEX REPLACE "_test$" "" prefix "${target}")
  gtest_discover_tests(${target}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    TEST_PREFIX "${prefix}."
    TEST_LIST ${target}_cases
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    PROPERTIES TIMEOUT ${timeout})

  # Properties whose values are lists do not survive gtest_discover_tests; this file is read after
  # its own and sets them on the cases it found.
  set(serial FALSE)
  if(arg_RUN_SERIAL)
    set(serial TRUE)
  endif()
  set(properties_file "${CMAKE_CURRENT_BINARY_DIR}/${target}_properties.cmake")
  file(WRITE "${properties_file}.in"
    "foreach(case IN LISTS ${target}_cases)\n"
    "  set_tests_properties(\"\${case}\" PROPERTIES LABELS \"${arg_LABELS}\"\n"
    "    RESOURCE_LOCK \"${arg_RESOURCE_LOCK}\" RUN_SERIAL ${serial})\n"
    "endforeach()\n")
  configure_file("${properties_file}.in" "${properties_file}" COPYONLY)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${properties_file}")
endfunction()

function(settee_command_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "RUN_SERIAL" "TIMEOUT"
    "COMMAND;LABELS;ENVIRONMENT;RESOURCE_LOCK;DEPENDS")
  if(NOT SETTEE_BUILD_TESTS)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS core)
  endif()
  settee_scaled_timeout(timeout ${arg_TIMEOUT})
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES
    LABELS "${arg_LABELS}"
    TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "${arg_ENVIRONMENT}"
    RESOURCE_LOCK "${arg_RESOURCE_LOCK}")
  if(arg_RUN_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if("core" IN_LIST arg_LABELS)
    list(GET arg_COMMAND 0 program)
    if(TARGET "${program}")
      list(APPEND arg_DEPENDS "${program}")
    endif()
    if(arg_DEPENDS)
      add_dependencies(core_tests ${arg_DEPENDS})
    endif()
  endif()
endfunction()
