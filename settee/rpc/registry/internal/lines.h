// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The text of a local registry file, as Java SOFARPC's LocalRegistry keeps it: a line for each
// service,
//
//   <dataId>\t<url>\t<url>...
//
// Blank lines and lines that begin with '#' are left alone.

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry {

class SETTEE_API Lines {
 public:
  /// Reads all of `text`. `complain(line number, what is wrong)` is called for each line, or url in
  /// one, that cannot be read; it is kept as it stands and otherwise ignored.
  using Complain = std::function<void(std::size_t line, std::string_view what)>;
  static Lines parse(std::string_view text, const Complain& complain);

  /// All providers of a service.
  Providers of(const std::string& data_id) const;
  /// All providers of an interface, whatever version, uniqueId and protocol. Their attributes say
  /// which; what the data id says of it holds, and the urls need not repeat it.
  Providers of_interface(std::string_view interface_name) const;
  /// Each once.
  std::vector<std::string> interfaces() const;
  /// The number of urls that could be read.
  std::size_t size() const;
  /// Adds a provider, in place of what stands at the same address.
  void put(const std::string& data_id, const Provider& provider);
  /// Takes away what stands at the provider's address.
  void remove(const std::string& data_id, const Provider& provider);
  std::string to_string() const;

 private:
  struct Url {
    std::string text;
    std::optional<Provider> provider;  // none: unreadable
  };
  struct Line {
    std::string data_id;  // empty: `verbatim` is all there is
    std::string interface_name;
    std::vector<Url> urls;
    std::string verbatim;
  };
  std::vector<Line> lines_;
};

}  // namespace settee::inline v0::rpc::registry
