# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Every switch of the build, in one place.

option(BUILD_SHARED_LIBS "Build shared libraries (native modules need them shared)" ON)
option(SETTEE_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SETTEE_BUILD_APPS "Build the programs in apps/" ON)
option(SETTEE_BUILD_EXAMPLES "Build the programs in examples/" ${PROJECT_IS_TOP_LEVEL})
option(SETTEE_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(SETTEE_BUILD_FUZZERS "Build the libFuzzer programs (clang only)" OFF)
option(SETTEE_WERROR "Treat warnings in Settee's own code as errors" OFF)
option(SETTEE_CCACHE "Compile through ccache when it is there" ON)
option(SETTEE_FAST_LINKER "Link with mold or lld when one of them is there" ON)
option(SETTEE_INSTALL "Generate the install and package rules" ${PROJECT_IS_TOP_LEVEL})
set(SETTEE_SANITIZE "" CACHE STRING
  "Sanitizers for the whole tree, as -fsanitize= takes them (for example address,undefined)")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "Settee runs on Linux only (epoll, dlopen); this is ${CMAKE_SYSTEM_NAME}")
endif()

include(GNUInstallDirs)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")

# Programs and libraries find each other next to themselves, in the build tree as in any prefix.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN" "$ORIGIN/../lib" "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
list(REMOVE_DUPLICATES CMAKE_INSTALL_RPATH)
