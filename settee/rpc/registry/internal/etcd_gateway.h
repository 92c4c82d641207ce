// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The JSON gateway of etcd v3 (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/): calls that wait
// for their answer, and watches that go on by themselves.
//
// It has a loop of its own: what occupies the application's loops must not cost a lease, and a loop that
// its owner turns would not be turned while the owner waits for the registry to stop.
//
// Threads: all on the keeper's thread, but for what says otherwise.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/hessian/value.h"
#include "settee/http/client.h"
#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry::etcd {

/// What the JSON has in place of bytes.
SETTEE_API std::string base64(std::string_view bytes);
/// Nothing if it is none.
SETTEE_API std::optional<std::string> from_base64(std::string_view text);
/// A number, which the gateway writes as a text; 0 if there is none.
SETTEE_API std::int64_t number(const hessian::Value& value);

/// A watch's answers, in their order, until it has ended.
class Watching {
 public:
  explicit Watching(std::function<void()> wake) : wake_(std::move(wake)) {}
  /// From any thread: nothing more is wanted.
  void cancel() noexcept { cancel_.cancel(); }
  /// What has come since; each is an answer's "result".
  std::vector<hessian::Value> take();
  /// Why it has ended; nothing as long as it goes on. take() comes first.
  std::optional<Error> ended() const;

 private:
  friend class Gateway;
  void put(hessian::Value answer);
  void end(Error why);
  const std::function<void()> wake_;
  CancelSource cancel_{Context()};
  mutable std::mutex mutex_;
  std::vector<hessian::Value> answers_;
  std::optional<Error> ended_;
};

class Gateway {
 public:
  /// `runtime` gets the messages.
  Gateway(Runtime& runtime, RegistryAddress servers, std::string auth,
          std::chrono::milliseconds timeout);
  /// Cancels the watches and waits for them.
  ~Gateway();

  enum class Failure : std::uint8_t {
    kNone,
    kConnection,  ///< No server could be asked, or none answers for the cluster now.
    kLease,       ///< There is no such lease.
    kRefused,     ///< The server does not do this, however often it is asked.
    kLater,       ///< It does not do this now: it is too busy, or a proxy does not reach it.
  };
  struct Answer {
    Failure failure = Failure::kNone;
    std::string why;
    hessian::Value value;
    bool ok() const noexcept { return failure == Failure::kNone; }
  };
  /// POST /v3/`path`. The server that has answered last is asked first, then the others.
  Answer call(std::string_view path, const std::string& json);
  /// Which server has answered last; watches are made there.
  std::size_t server() const noexcept { return first_; }
  /// `wake` is called from the gateway's loop; the gateway must outlive that.
  std::shared_ptr<Watching> watch(const std::string& json, std::function<void()> wake);

 private:
  Answer ask(const net::Endpoint& server, std::string_view path, const std::string& json);
  Answer authenticate(const net::Endpoint& server);
  http::Request request(std::string_view path, const std::string& json) const;
  static Task<void> follow(http::Client& client, std::string url, http::Request request,
                           std::shared_ptr<Watching> watching);

  const RegistryAddress servers_;
  const std::string user_;
  const std::string password_;
  const std::chrono::milliseconds timeout_;
  std::size_t first_ = 0;  // of the servers, to be asked
  std::string token_;
  std::unique_ptr<Runtime> own_;
  std::unique_ptr<http::Client> client_;
};

}  // namespace settee::inline v0::rpc::registry::etcd
