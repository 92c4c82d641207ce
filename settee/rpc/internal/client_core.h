// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a Client is made of, for its references.
//
// Threads: any.

#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "settee/base/stats.h"
#include "settee/rpc/client.h"
#include "settee/rpc/internal/binding.h"
#include "settee/rpc/internal/filter_set.h"

namespace settee::inline v0::rpc {

class Client::Core {
 public:
  Core(Runtime& runtime, ClientOptions options);

  Runtime& runtime;
  const ClientOptions options;
  FilterSet filters;
  Counter& refused;  // by a limit of a reference

  /// The connections of a protocol; an Error (kInvalidArgument) for one that is not spoken.
  std::shared_ptr<Transport> transport(std::string_view protocol);
  /// Ends all of them. Not on a loop.
  void stop();
  /// Keeps the connections to an address that the program names itself: references to it come and go.
  void pin(std::shared_ptr<Address> address);
  /// One for each url, shared by all references.
  std::shared_ptr<Registry> registry(const std::string& url);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Registry>> registries_;
  std::map<std::string, std::shared_ptr<Transport>, std::less<>> transports_;
  bool stopped_ = false;
  std::map<Address*, std::shared_ptr<Address>> pinned_;
};

}  // namespace settee::inline v0::rpc
