// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Mock: an object that answers calls of a described class in the provider's stead.
//
// Threads: constant.

#pragma once

#include <memory>
#include <string_view>

#include "settee/base/runtime.h"
#include "settee/rpc/internal/binding.h"

namespace settee::inline v0::rpc {

class SETTEE_API Mock : public std::enable_shared_from_this<Mock> {
 public:
  Mock(const ServiceInfo& service, std::shared_ptr<void> owner, void* object, MockWhen when)
      : service_(service), owner_(std::move(owner)), object_(object), when_(when) {}

  const ServiceInfo& service() const noexcept { return service_; }
  void* object() const noexcept { return object_; }
  MockWhen when() const noexcept { return when_; }

  /// Throws an Error (kInvalidArgument) if it is a mock of another interface.
  void check(std::string_view interface_name) const;
  /// Whether it answers a call that has failed like this.
  bool steps_in(const Error& error) const noexcept {
    return when_ == MockWhen::kNoAnswer && error.code() != Code::kBusiness &&
           error.code() != Code::kCancelled;
  }

 private:
  const ServiceInfo& service_;
  const std::shared_ptr<void> owner_;
  void* const object_;
  const MockWhen when_;
};

/// The call, answered by the mock. One that steps in for a failed call may begin after its deadline;
/// if it then suspends it ends with kTimeout. On a loop's thread, or it goes to one.
SETTEE_API Task<void> mocked(Runtime& runtime, const Mock& mock, Outgoing outgoing);

}  // namespace settee::inline v0::rpc
