// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Call: one call of a service, as filters and handlers see it. Filter: code around every call.
//
//   class Audit : public Filter {
//     Task<void> apply(Call& call, Next next) override {
//       log(call.service(), call.method());
//       co_await next();                        // not awaited: the call ends here
//     }
//   };
//
// Baggage is text that travels with a call, in the Context: what the caller put under
// kRequestBaggage is there for the handler, and goes on with the calls that it makes. A handler adds
// to the response's with respond_baggage(); the caller gets it in the object it put under
// kResponseBaggage.
//
// A call's body is a sequence of messages in each direction, of which a unary call has one; Call
// names what holds for the whole sequence.
//
// Threads: a Call belongs to the coroutine that handles it.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/context.h"
#include "settee/base/service.h"
#include "settee/base/task.h"

namespace settee::inline v0::rpc {

using Baggage = std::map<std::string, std::string, std::less<>>;

/// What the caller sends along.
SETTEE_API extern const ContextKey<Baggage> kRequestBaggage;
/// On the caller's side: where the response's baggage is put.
SETTEE_API extern const ContextKey<std::shared_ptr<Baggage>> kResponseBaggage;

enum class Side : std::uint8_t { kServer, kClient };

class SETTEE_API Call {
 public:
  Call(Side side, std::string_view service, std::string_view method, std::string_view peer) noexcept
      : side_(side), service_(service), method_(method), peer_(peer) {}

  Side side() const noexcept { return side_; }
  /// Unique name: "com.acme.Quotes:1.0".
  std::string_view service() const noexcept { return service_; }
  std::string_view method() const noexcept { return method_; }
  /// The other end's address.
  std::string_view peer() const noexcept { return peer_; }

 private:
  Side side_;
  std::string_view service_;
  std::string_view method_;
  std::string_view peer_;
};

/// The call that the current handler serves, from its Context; null outside of one.
SETTEE_API const Call* current_call() noexcept;
/// Sends `key` = `value` back with the answer of the call that the current handler serves. An Error
/// (kMisuse) outside of a handler.
SETTEE_API void respond_baggage(std::string_view key, std::string_view value);

class Filter;

/// The rest of the chain behind a filter.
class SETTEE_API Next {
 public:
  /// Ends the chain: makes the call itself.
  class SETTEE_API Terminal {
   public:
    virtual Task<void> proceed() = 0;

   protected:
    ~Terminal() = default;
  };
  using Chain = std::vector<std::shared_ptr<Filter>>;

  Next(const Chain& chain, std::size_t at, Call& call, Terminal& terminal) noexcept
      : chain_(&chain), at_(at), call_(&call), terminal_(&terminal) {}
  Task<void> operator()() const;

 private:
  const Chain* chain_;
  std::size_t at_;
  Call* call_;
  Terminal* terminal_;
};

class SETTEE_API Filter {
 public:
  virtual ~Filter();
  /// Runs around a call. An Error that it ends with is the call's.
  virtual Task<void> apply(Call& call, Next next) = 0;
};

}  // namespace settee::inline v0::rpc
