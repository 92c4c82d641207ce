# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Takes the newest clang++ that is there (14 or later): distributions name it differently.

find_program(SETTEE_CLANG
  NAMES clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14 clang++)
mark_as_advanced(SETTEE_CLANG)
if(NOT SETTEE_CLANG)
  message(FATAL_ERROR "No clang++ found: run './setup --sanitize', or install the package 'clang'")
endif()
set(CMAKE_CXX_COMPILER "${SETTEE_CLANG}")
