// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Call: one call of a service, as filters and handlers see it. Filter: code around every call.
//
//   class Audit : public Filter {
//     Task<void> apply(Call& call, Next next) override {
//       log(call.service(), call.method());
//       co_await next();  // to end the call here: co_await fail(Error(...)) in its place
//     }
//   };
//
// Baggage is text that travels with a call, in the Context: what the caller put under
// kRequestBaggage is there for the handler, and goes on with the calls that it makes. A handler adds
// to the response's with respond_baggage(); the caller gets it in the object it put under
// kResponseBaggage.
//
// Headers are text too, of this call only (SOFARPC's custom headers): set under kRequestHeaders or by
// a filter, read with Call::header().
//
// A call's body is a sequence of messages in each direction, of which a unary call has one; Call
// names what holds for the whole sequence.
//
// Threads: a Call belongs to the coroutine that handles it.

#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/context.h"
#include "settee/base/service.h"
#include "settee/base/task.h"

namespace settee::inline v0::net {
struct TlsInfo;
}

namespace settee::inline v0::rpc {

using Baggage = std::map<std::string, std::string, std::less<>>;

/// What the caller sends along.
SETTEE_API extern const ContextKey<Baggage> kRequestBaggage;
/// What the caller sends along as headers.
SETTEE_API extern const ContextKey<Baggage> kRequestHeaders;
/// On the caller's side: where the response's baggage is put.
SETTEE_API extern const ContextKey<std::shared_ptr<Baggage>> kResponseBaggage;

enum class Side : std::uint8_t { kServer, kClient };

/// The headers that a request came with.
class SETTEE_API ReceivedHeaders {
 public:
  /// Calls `visit` for each, in their order, until it returns false.
  virtual void each(
      const std::function<bool(std::string_view name, std::string_view value)>& visit) const = 0;
  /// The first of that name, as the protocol compares names; empty if there is none.
  virtual std::string_view find(std::string_view name) const;

 protected:
  ~ReceivedHeaders() = default;
};

class SETTEE_API Call {
 public:
  /// On a server, with `received`; on a client, where headers go to `sent`.
  Call(Side side, std::string_view service, std::string_view method, std::string_view peer,
       const ReceivedHeaders* received = nullptr, Baggage* sent = nullptr,
       const net::TlsInfo* tls = nullptr) noexcept
      : side_(side),
        service_(service),
        method_(method),
        peer_(peer),
        received_(received),
        sent_(sent),
        tls_(tls) {}

  Side side() const noexcept { return side_; }
  /// Unique name: "com.acme.Quotes:1.0".
  std::string_view service() const noexcept { return service_; }
  std::string_view method() const noexcept { return method_; }
  /// The other end's address.
  std::string_view peer() const noexcept { return peer_; }
  /// On a server: who the caller is (settee/net/tls.h), while the call lives. Null: it came in plain
  /// text, or from this process.
  const net::TlsInfo* tls() const noexcept { return tls_; }

  /// A header of the request. Empty if there is none. On a server: until the method begins, and of
  /// HTTP in any case of its letters.
  std::string_view header(std::string_view name) const;
  /// All of them; on a client, those that filters have set.
  void each_header(
      const std::function<bool(std::string_view name, std::string_view value)>& visit) const;
  /// On a client: sends it along with this call. On a server an Error (kMisuse).
  void set_header(std::string_view name, std::string_view value);

 private:
  Side side_;
  std::string_view service_;
  std::string_view method_;
  std::string_view peer_;
  const ReceivedHeaders* received_;
  Baggage* sent_;
  const net::TlsInfo* tls_;
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
  /// Runs around a call. An Error that it ends with is the call's, also after next(): on a server the
  /// answer goes out when all filters have ended. One that ends without next() and without an Error
  /// has left a server's caller without an answer: that is told an Error (kMisuse).
  virtual Task<void> apply(Call& call, Next next) = 0;
};

/// A filter and where it stands in the chain. Threads: a plain value.
struct FilterUse {
  std::shared_ptr<Filter> filter;
  std::string name;                  ///< By which it is removed or left out.
  int order;                         ///< Lower ones are further outside; of equals the first added.
  std::vector<std::string> methods;  ///< It is for these only; empty: for all.

  template <std::derived_from<Filter> F>
  FilterUse(std::shared_ptr<F> used, std::string called = {}, int place = 0,  // NOLINT: it is one
            std::vector<std::string> only = {})
      : filter(std::move(used)), name(std::move(called)), order(place), methods(std::move(only)) {}
};

}  // namespace settee::inline v0::rpc
