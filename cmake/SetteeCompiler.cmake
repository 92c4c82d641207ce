# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Language level, warnings, code generation, sanitizers, ccache and the linker.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
    message(FATAL_ERROR "Settee needs g++ 12 or newer; ${CMAKE_CXX_COMPILER} is "
      "${CMAKE_CXX_COMPILER_VERSION}. Set CXX to a newer one.")
  endif()
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
    message(FATAL_ERROR "Settee needs clang 14 or newer; ${CMAKE_CXX_COMPILER} is "
      "${CMAKE_CXX_COMPILER_VERSION}. Set CXX to a newer one.")
  endif()
else()
  message(FATAL_ERROR "Settee is built with g++ or clang, not ${CMAKE_CXX_COMPILER_ID}")
endif()

# Line tables only: stack traces name file and line at a tenth of the size of full debug data.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

# Short names in __FILE__, logs and debug data, and the same object code from every checkout.
# (ccache hands the compiler relative paths, hence the second form.)
file(RELATIVE_PATH settee_relative_source "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
set(settee_common_options
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=" "-ffile-prefix-map=${settee_relative_source}=")
set(settee_common_link_options "")

set(settee_warning_options
  -Wall -Wextra -Woverloaded-virtual -Wcast-qual -Wundef
  -Werror=return-type -Werror=switch -Werror=format -Werror=format-security
  -Werror=delete-non-virtual-dtor -Werror=implicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND settee_warning_options -Wthread-safety -Wno-missing-field-initializers
    -Wno-unknown-warning-option)
else()
  list(APPEND settee_warning_options -Wno-missing-field-initializers)
endif()
if(SETTEE_WERROR)
  list(APPEND settee_warning_options -Werror)
endif()

if(SETTEE_SANITIZE)
  list(APPEND settee_common_options
    "-fsanitize=${SETTEE_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  list(APPEND settee_common_link_options "-fsanitize=${SETTEE_SANITIZE}")
  # One name for the code that must know, whatever the compiler calls its own macros.
  string(REGEX MATCHALL "address|thread|undefined|memory|leak" settee_sanitizers
    "${SETTEE_SANITIZE}")
  list(REMOVE_DUPLICATES settee_sanitizers)
  # And the standard library's own checks, of what sanitizers do not see: an empty optional's value,
  # an index beyond a vector's size but within what it has allocated.
  add_compile_definitions(SETTEE_SANITIZE _GLIBCXX_ASSERTIONS)
  foreach(sanitizer IN LISTS settee_sanitizers)
    string(TOUPPER "${sanitizer}" sanitizer)
    add_compile_definitions("SETTEE_SANITIZE_${sanitizer}")
  endforeach()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees ghosts once the sanitizers have rewritten the code.
    list(APPEND settee_common_options -Wno-maybe-uninitialized -Wno-stringop-overflow
      -Wno-array-bounds -Wno-tsan)
  endif()
endif()

if(SETTEE_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "SETTEE_BUILD_FUZZERS needs clang (libFuzzer is part of it): use preset fuzz")
  endif()
  # clang 14 cannot emit a coroutine whose edges are counted and whose type is kept in front of it.
  list(APPEND settee_common_options -fsanitize=fuzzer-no-link -fno-sanitize=function)
  list(APPEND settee_common_link_options -fsanitize=fuzzer-no-link)
endif()

if(SETTEE_FAST_LINKER)
  find_program(SETTEE_MOLD mold)
  find_program(SETTEE_LLD ld.lld)
  mark_as_advanced(SETTEE_MOLD SETTEE_LLD)
  if(SETTEE_MOLD)
    list(APPEND settee_common_link_options -fuse-ld=mold)
  elseif(SETTEE_LLD)
    list(APPEND settee_common_link_options -fuse-ld=lld)
  endif()
endif()

if(SETTEE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(SETTEE_CCACHE_PROGRAM ccache)
  mark_as_advanced(SETTEE_CCACHE_PROGRAM)
  if(SETTEE_CCACHE_PROGRAM)
    # Two checkouts of the same sources share their objects: no paths enter the hash.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${SETTEE_CCACHE_PROGRAM}")
  endif()
endif()

add_compile_options(${settee_common_options})
add_link_options(${settee_common_link_options} -Wl,--as-needed -Wl,-z,relro -Wl,-z,now)

# settee_own_code(<target>): what every target of ours gets on top of the tree-wide options.
function(settee_own_code target)
  target_compile_options(${target} PRIVATE ${settee_warning_options})
endfunction()
