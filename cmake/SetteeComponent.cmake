# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
#   settee_component(<name> [DEPENDS <component>...] [PRIVATE_LIBS <target>...]
#                    [TEST_LIBS <target>...] [EXCLUDE <regex>...])
#
# Called by settee/<name>/CMakeLists.txt, makes everything of one component from the names of the
# files under its folder (nested folders too: settee/rpc/bolt is part of `rpc`):
#
#   x.cc             the library settee_<name>, known as settee::<name>
#   x_test.cc        one GoogleTest program <name>_test, label `core`
#   x_benchmark.cc   one Google Benchmark program <name>_benchmark, if that library is there
#   x_fuzz.cc        a fuzz target: x_fuzz_replay runs it over <component>/corpus/x_fuzz/ as a test
#                    under every compiler; with SETTEE_BUILD_FUZZERS and clang also x_fuzz itself
#   x_module.cc      x_module.so in <tree>/lib, a module that tests load and unload; the tests find
#                    the folder in the macro SETTEE_TEST_MODULE_DIR
#   x.h              a public header, installed, unless it is in a folder `internal` or is named
#                    *_test*.h. Headers that public ones need but users must not include live in a
#                    folder `detail`, and are installed.
#
# DEPENDS is public: its headers may appear in the component's headers. PRIVATE_LIBS are third-party
# targets and stay inside .cc files; each must be in the table of SetteeDependencies.cmake. EXCLUDE
# drops files whose path under the component's folder matches.
#
# Libraries export only what is marked SETTEE_API, so a class in internal/ that a test uses needs
# the mark as well.

function(settee_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;PRIVATE_LIBS;TEST_LIBS;EXCLUDE")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "settee_component(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(root "${CMAKE_CURRENT_SOURCE_DIR}")
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${root}" "${root}/*.cc" "${root}/*.h")
  list(FILTER files EXCLUDE REGEX "(^|/)(testdata|corpus|golden)/")
  foreach(pattern IN LISTS arg_EXCLUDE)
    list(FILTER files EXCLUDE REGEX "${pattern}")
  endforeach()

  set(sources "${files}")
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  foreach(kind IN ITEMS test benchmark fuzz module)
    set(${kind}_sources "${sources}")
    list(FILTER ${kind}_sources INCLUDE REGEX "_${kind}\\.cc$")
  endforeach()
  list(FILTER sources EXCLUDE REGEX "_(test|benchmark|fuzz|module)\\.cc$")
  set(headers "${files}")
  list(FILTER headers INCLUDE REGEX "\\.h$")
  list(FILTER headers EXCLUDE REGEX "(^|/)internal/|_test[^/]*\\.h$")

  if(NOT sources)
    message(WARNING "settee/${name} is left out: it has no .cc file yet")
    return()
  endif()

  set(library settee_${name})
  set(dependencies "")
  foreach(dependency IN LISTS arg_DEPENDS)
    if(NOT TARGET settee_${dependency})
      message(WARNING "settee/${name} is left out: it depends on settee/${dependency}, which is not "
        "there (or is on a higher floor, see the list in the root CMakeLists.txt)")
      return()
    endif()
    list(APPEND dependencies settee::${dependency})
  endforeach()

  add_library(${library} ${sources})
  add_library(settee::${name} ALIAS ${library})
  set_target_properties(${library} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    # Before 1.0 any minor version may change the ABI.
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_include_directories(${library} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_compile_features(${library} PUBLIC cxx_std_20)
  # A STB_GNU_UNIQUE symbol pins the module that defines it in memory for good; users' modules must
  # not have them either. clang never makes them and does not know the option.
  target_compile_options(${library} PUBLIC
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>")
  target_compile_options(${library} PRIVATE -fno-semantic-interposition)
  target_compile_definitions(${library} PRIVATE SETTEE_BUILDING)
  if(BUILD_SHARED_LIBS)
    # Our libraries are loaded at start, where the static TLS block has room for them: this saves a
    # call per access to a thread's loop.
    target_compile_options(${library} PRIVATE -ftls-model=initial-exec)
  else()
    target_compile_definitions(${library} PUBLIC SETTEE_STATIC)
  endif()
  target_link_libraries(${library} PUBLIC ${dependencies} PRIVATE Threads::Threads
    ${CMAKE_DL_LIBS} ${arg_PRIVATE_LIBS})
  settee_own_code(${library})

  set_property(GLOBAL APPEND PROPERTY SETTEE_COMPONENTS ${name})
  set_property(GLOBAL PROPERTY SETTEE_${name}_DEPENDS "${arg_DEPENDS}")
  set_property(GLOBAL PROPERTY SETTEE_${name}_PRIVATE_LIBS "Threads::Threads;${arg_PRIVATE_LIBS}")
  set_property(GLOBAL PROPERTY SETTEE_${name}_HEADERS "${headers}")

  if(SETTEE_BUILD_TESTS)
    settee_component_header_check(${name} "${headers}")
    set(modules "")
    foreach(source IN LISTS module_sources)
      settee_component_module(${library} "${source}" module)
      list(APPEND modules ${module})
    endforeach()
    if(test_sources)
      settee_test(${name}_test
        SOURCES ${test_sources}
        LIBS settee::${name} ${arg_PRIVATE_LIBS} ${arg_TEST_LIBS} ${CMAKE_DL_LIBS}
        LABELS core
        DEFINITIONS "SETTEE_TEST_MODULE_DIR=\"${CMAKE_LIBRARY_OUTPUT_DIRECTORY}\"")
      if(modules)
        add_dependencies(${name}_test ${modules})
      endif()
    endif()
    foreach(source IN LISTS fuzz_sources)
      settee_component_fuzz(${name} "${source}" "${arg_PRIVATE_LIBS}")
    endforeach()
  endif()

  if(SETTEE_BUILD_BENCH AND benchmark_sources AND TARGET benchmark::benchmark)
    add_executable(${name}_benchmark ${benchmark_sources})
    target_link_libraries(${name}_benchmark PRIVATE settee::${name} ${arg_PRIVATE_LIBS}
      ${arg_TEST_LIBS} benchmark::benchmark benchmark::benchmark_main)
    target_compile_definitions(${name}_benchmark PRIVATE
      "SETTEE_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    settee_own_code(${name}_benchmark)
    settee_sanitizer_options(${name}_benchmark)
  endif()
endfunction()

# One translation unit per public header that includes nothing else: target header_check compiles
# them all.
function(settee_component_header_check name headers)
  if(NOT headers)
    return()
  endif()
  if(NOT TARGET header_check)
    add_custom_target(header_check)
  endif()
  set(units "")
  foreach(header IN LISTS headers)
    set(unit "${CMAKE_CURRENT_BINARY_DIR}/header_check/${header}.cc")
    set(settee_header "settee/${name}/${header}")
    configure_file("${PROJECT_SOURCE_DIR}/cmake/header_check.cc.in" "${unit}" @ONLY)
    list(APPEND units "${unit}")
  endforeach()
  add_library(settee_${name}_header_check OBJECT EXCLUDE_FROM_ALL ${units})
  # Only through what a user gets: the public side of the component.
  target_link_libraries(settee_${name}_header_check PRIVATE settee::${name})
  target_compile_options(settee_${name}_header_check PRIVATE -O0 -g0)
  settee_own_code(settee_${name}_header_check)
  add_dependencies(header_check settee_${name}_header_check)
endfunction()

function(settee_component_module library source out)
  get_filename_component(module "${source}" NAME_WE)
  add_library(${module} MODULE "${source}")
  set_target_properties(${module} PROPERTIES PREFIX "" SUFFIX ".so")
  target_link_libraries(${module} PRIVATE ${library})
  settee_own_code(${module})
  set(${out} ${module} PARENT_SCOPE)
endfunction()

function(settee_component_fuzz name source libraries)
  get_filename_component(fuzzer "${source}" NAME_WE)
  set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${fuzzer}")

  add_executable(${fuzzer}_replay "${source}" "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.cc")
  target_link_libraries(${fuzzer}_replay PRIVATE settee::${name} ${libraries})
  target_compile_definitions(${fuzzer}_replay PRIVATE "SETTEE_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  settee_own_code(${fuzzer}_replay)
  settee_sanitizer_options(${fuzzer}_replay)
  if(EXISTS "${corpus}")
    settee_command_test(${name}.${fuzzer}.corpus COMMAND ${fuzzer}_replay "${corpus}" TIMEOUT 120)
  endif()

  if(SETTEE_BUILD_FUZZERS)
    add_executable(${fuzzer} "${source}")
    target_link_libraries(${fuzzer} PRIVATE settee::${name} ${libraries})
    target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    target_compile_definitions(${fuzzer} PRIVATE "SETTEE_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
    settee_own_code(${fuzzer})
    settee_sanitizer_options(${fuzzer})
    set(found "${CMAKE_CURRENT_BINARY_DIR}/${fuzzer}_corpus")
    file(MAKE_DIRECTORY "${found}")
    set(seeds "")
    if(EXISTS "${corpus}")
      set(seeds "${corpus}")
    endif()
    settee_command_test(${name}.${fuzzer}.fuzz
      COMMAND ${fuzzer} -max_total_time=60 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        "-artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/" "${found}" ${seeds}
      LABELS fuzz all-only TIMEOUT 180)
  endif()
endfunction()
