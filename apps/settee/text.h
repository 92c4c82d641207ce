// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Text of strangers, made fit for a terminal.

#pragma once

#include <string>
#include <string_view>

namespace settee::cli {

/// `text` on one line and without what a terminal would obey: control characters and bytes that are
/// no UTF-8 become \n, \t, \x1b and so on.
std::string printable(std::string_view text);

/// At most about `limit` bytes of `text`, cut between characters, with a note of what is left out.
std::string shortened(std::string_view text, std::size_t limit);

}  // namespace settee::cli
