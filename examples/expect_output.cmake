# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# cmake -DPROGRAM=... -DEXPECTED=... -P expect_output.cmake: runs the program, which must print exactly
# one line and end well.

execute_process(COMMAND "${PROGRAM}" OUTPUT_VARIABLE output RESULT_VARIABLE status TIMEOUT 30)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with '${status}' and printed:\n${output}")
endif()
if(NOT output STREQUAL "${EXPECTED}\n")
  message(FATAL_ERROR "${PROGRAM} printed\n${output}and not\n${EXPECTED}")
endif()
