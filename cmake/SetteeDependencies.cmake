# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# All third-party packages, found once for the whole tree. Components name their targets in
# PRIVATE_LIBS. None of these appears in an installed header; for static libraries the generated
# package files tell the consumer what to find (see settee_third_party below).

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL 1.1.1 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(Boost REQUIRED)  # Beast's HTTP parser; headers only
find_package(Protobuf QUIET)
set(SETTEE_HAVE_PROTOBUF ${Protobuf_FOUND})

# nghttp2, for HTTP/2. An upstream 1.52 lacks two defences that Debian's has: it is asked for them.
find_path(SETTEE_NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h REQUIRED)
find_library(SETTEE_NGHTTP2_LIBRARY nghttp2 REQUIRED)
mark_as_advanced(SETTEE_NGHTTP2_INCLUDE_DIR SETTEE_NGHTTP2_LIBRARY)
foreach(defence IN ITEMS nghttp2_option_set_stream_reset_rate_limit
    nghttp2_option_set_max_continuations)
  file(STRINGS "${SETTEE_NGHTTP2_INCLUDE_DIR}/nghttp2/nghttp2.h" settee_found REGEX "${defence}")
  if(NOT settee_found)
    message(FATAL_ERROR "nghttp2 in ${SETTEE_NGHTTP2_INCLUDE_DIR} has no ${defence}: servers would "
      "be open to CVE-2023-44487 or CVE-2024-28182. Take 1.61 or newer, or Debian's 1.52.0-1+deb12u2")
  endif()
endforeach()
# Named as the library is: a static consumer, who does not have this target, links -lnghttp2.
add_library(nghttp2 UNKNOWN IMPORTED)
set_target_properties(nghttp2 PROPERTIES
  IMPORTED_LOCATION "${SETTEE_NGHTTP2_LIBRARY}"
  INTERFACE_INCLUDE_DIRECTORIES "${SETTEE_NGHTTP2_INCLUDE_DIR}")

# ZooKeeper's C client, for rpc's registry. Debian ships neither a CMake package nor a pkg-config file.
find_path(SETTEE_ZOOKEEPER_INCLUDE_DIR zookeeper/zookeeper.h)
find_library(SETTEE_ZOOKEEPER_LIBRARY zookeeper_mt)
mark_as_advanced(SETTEE_ZOOKEEPER_INCLUDE_DIR SETTEE_ZOOKEEPER_LIBRARY)
if(SETTEE_ZOOKEEPER_INCLUDE_DIR AND SETTEE_ZOOKEEPER_LIBRARY)
  set(SETTEE_HAVE_ZOOKEEPER TRUE)
  # Named as the library is: a static consumer, who does not have this target, links -lzookeeper_mt.
  add_library(zookeeper_mt UNKNOWN IMPORTED)
  set_target_properties(zookeeper_mt PROPERTIES
    IMPORTED_LOCATION "${SETTEE_ZOOKEEPER_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SETTEE_ZOOKEEPER_INCLUDE_DIR}")
else()
  set(SETTEE_HAVE_ZOOKEEPER FALSE)
  message(STATUS "ZooKeeper's C client is not there (Debian: libzookeeper-mt-dev): built without the "
    "registry zookeeper://")
endif()

if(SETTEE_BUILD_APPS OR SETTEE_BUILD_EXAMPLES OR SETTEE_BUILD_BENCH OR SETTEE_BUILD_TESTS)
  find_package(CLI11 QUIET)
  if(NOT TARGET CLI11::CLI11)
    # Debian 12 ships the header without the CMake package.
    find_path(SETTEE_CLI11_INCLUDE_DIR CLI/CLI.hpp)
    mark_as_advanced(SETTEE_CLI11_INCLUDE_DIR)
    if(SETTEE_CLI11_INCLUDE_DIR)
      add_library(CLI11::CLI11 INTERFACE IMPORTED)
      target_include_directories(CLI11::CLI11 SYSTEM INTERFACE "${SETTEE_CLI11_INCLUDE_DIR}")
    endif()
  endif()
endif()
if(SETTEE_BUILD_TESTS)
  find_package(GTest REQUIRED)
  find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
endif()
if(SETTEE_BUILD_BENCH)
  find_package(benchmark QUIET)
endif()

# target name | find_package arguments | pkg-config module. With neither the name is linked as it is.
set(settee_third_party
  "Threads::Threads|Threads|"
  "OpenSSL::SSL|OpenSSL|libssl"
  "OpenSSL::Crypto|OpenSSL|libcrypto"
  "ZLIB::ZLIB|ZLIB|zlib"
  "Boost::headers|Boost|"
  "nghttp2||libnghttp2"
  "fmt::fmt|fmt|fmt"
  "spdlog::spdlog|spdlog|spdlog"
  "yaml-cpp|yaml-cpp|yaml-cpp"
  "simdjson::simdjson|simdjson|simdjson"
  "zookeeper_mt||"
  "protobuf::libprotobuf|Protobuf|protobuf")

# settee_third_party_entry(<target> <out package> <out pkg-config module>)
function(settee_third_party_entry target package module)
  foreach(entry IN LISTS settee_third_party)
    string(REPLACE "|" ";" fields "${entry}")
    list(GET fields 0 name)
    if(name STREQUAL target)
      list(GET fields 1 found_package)
      list(GET fields 2 found_module)
      set(${package} "${found_package}" PARENT_SCOPE)
      set(${module} "${found_module}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "${target} is not in the table of third-party packages: add it to "
    "cmake/SetteeDependencies.cmake, so that a static consumer finds it too")
endfunction()
