// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>

#include <algorithm>

#include "settee/http/internal/client_core.h"

namespace settee::inline v0::http {

ClientSession::ClientSession(std::shared_ptr<ClientPool> pool, net::Connection& connection)
    : pool_(std::move(pool)), connection_(connection) {}

Client::Core& ClientSession::core() const noexcept { return pool_->core(); }

// The protocol of a connection until TLS's handshake has told which one follows.
class Securing final : public net::Protocol {
 public:
  explicit Securing(std::shared_ptr<ClientPool> pool) noexcept : pool_(std::move(pool)) {}
  Taken on_data(net::Connection&, std::span<const std::uint8_t>) override { return {0}; }
  void on_secured(net::Connection& connection) override { pool_->secured(connection); }
  void on_close(net::Connection& connection, const Error& why) override {
    pool_->lost_handshake(connection, why);
  }

 private:
  const std::shared_ptr<ClientPool> pool_;
};

ClientPool::ClientPool(std::shared_ptr<Client::Core> core, Loop& loop, const Url& url)
    : core_(std::move(core)),
      loop_(loop),
      url_(url),
      origin_(url.origin()),
      known_(!url.secure()),
      many_(url.scheme == Url::Scheme::kH2c) {}

void ClientPool::submit(std::shared_ptr<ClientCall> call) {
  call->queued(shared_from_this());
  if (waiting_.empty()) {
    if (ClientSession* const session = choose()) {
      session->take(std::move(call));
      return;
    }
  }
  if (waiting_.size() >= core_->options.max_waiting) {
    core_->refused(ClientLimit::kWaiting);
    call->on_failed(
        Error(Code::kOverflow,
              fmt::format("{} calls wait for a connection already (max_waiting)", waiting_.size())),
        ClientCall::Again::kNo);
    return;
  }
  waiting_.push_back(std::move(call));
  connect_more();
}

void ClientPool::withdraw(const ClientCall& call) {
  std::erase_if(waiting_, [&](const auto& one) { return one.get() == &call; });
  forget_if_idle();
}

std::string ClientPool::waits_for() const {
  if (connecting_ > 0) return "connecting";
  std::string text =
      fmt::format("waiting for one of {} connections that are all in use", held_.size());
  if (last_failure_) text += fmt::format(" (making another: {})", last_failure_->message());
  return text;
}

ClientSession* ClientPool::choose() const {
  ClientSession* best = nullptr;
  for (const Held& held : held_) {
    if (held.session == nullptr || !held.session->may_take()) continue;
    if (best == nullptr || held.session->calls() < best->calls()) best = held.session;
  }
  return best;
}

void ClientPool::dispatch() {
  while (!waiting_.empty()) {
    ClientSession* const session = choose();
    if (session == nullptr) break;
    const std::shared_ptr<ClientCall> call = std::move(waiting_.front());
    waiting_.pop_front();
    session->take(call);
  }
  connect_more();
}

// As many as waiting calls have a use for. One at first, which tells what the server speaks.
void ClientPool::connect_more() {
  const bool one = many_ || !known_;
  while (!core_->stopped.load(std::memory_order_relaxed) &&
         connecting_ < (one ? std::min<std::size_t>(waiting_.size(), 1) : waiting_.size()) &&
         held_.size() + connecting_ - securing_ < core_->options.max_connections) {
    ++connecting_;
    core_->connecting.fetch_add(1);
    connect(shared_from_this()).start(Context());
  }
}

settee::detail::Detached ClientPool::connect(std::shared_ptr<ClientPool> self) {
  std::optional<Error> error;
  net::Socket socket;
  std::shared_ptr<const net::TlsClientContext> tls;
  if (url_.secure()) {
    Task<Result<std::shared_ptr<const net::TlsClientContext>>> reading =
        run_on(core_->runtime.pool(), [core = core_] { return core->tls(); });
    auto read = co_await as_result(std::move(reading));
    if (!read) {
      error = read.error();
    } else if (!*read) {
      error = read->error();
    } else {
      tls = **read;
    }
  }
  if (!error) {
    Result<std::vector<net::SocketAddress>> addresses =
        co_await as_result(net::resolve(core_->runtime.pool(), url_.endpoint));
    if (!addresses) {
      error = addresses.error();
    } else {
      for (const net::SocketAddress& address : *addresses) {
        if (core_->stopped.load()) break;  // stop() waits for us
        Result<net::Socket> made =
            co_await as_result(net::connect(address, core_->options.connect_timeout));
        if (made) {
          socket = *std::move(made);
          error.reset();
          break;
        }
        error = error ? made.error().because(*error) : made.error();
      }
    }
  }
  if (core_->stopped.load()) {
    --connecting_;
    failed(Error(Code::kStopped, "the client has been stopped"));
  } else if (error) {
    core_->stats.connect_failures.add();
    --connecting_;
    failed(Error(Code::kConnectFailed, error->message()).because(*error));
  } else {
    begin(std::move(socket), std::move(tls));
  }
  const std::shared_ptr<Client::Core> core = core_;
  self.reset();
  core->connecting.fetch_sub(1);
}

void ClientPool::begin(net::Socket socket, std::shared_ptr<const net::TlsClientContext> tls) {
  net::ConnectionOptions options;
  // Bodies are held back by max_unsent; reading never stops for it, or two full ends would wait for
  // one another.
  options.high_mark = core_->options.max_unsent;
  options.low_mark = core_->options.max_unsent / 2;
  options.read_when_congested = true;
  const net::SocketAddress peer = socket.peer();
  const auto connection =
      std::make_shared<net::Connection>(loop_, socket.release(), peer, options, core_->net_stats);
  try {
    if (tls) {
      connection->start_tls(*tls, url_.endpoint.unix_path ? "" : url_.endpoint.host);
      held_.push_back({connection, nullptr});
      ++securing_;
      connection->begin(std::make_unique<Securing>(shared_from_this()));
      return;
    }
    const bool http2 = url_.scheme == Url::Scheme::kH2c;
    auto session = http2 ? make_http2_client(shared_from_this(), *connection)
                         : make_http1_client(shared_from_this(), *connection);
    ClientSession& made = *session;
    held_.push_back({connection, &made});
    connection->begin(std::move(session));
    --connecting_;
    ready(made, http2);
  } catch (const Error& error) {
    std::erase_if(held_, [&](const Held& one) { return one.connection == connection; });
    if (tls && securing_ > 0) --securing_;
    --connecting_;
    core_->stats.connect_failures.add();
    failed(Error(Code::kConnectFailed, error.message()));
  }
}

void ClientPool::ready(ClientSession& session, bool http2) {
  core_->stats.connects.add();
  last_failure_.reset();
  known_ = true;
  many_ = http2;
  session.start();
  dispatch();
}

void ClientPool::secured(net::Connection& connection) {
  const std::string_view agreed = connection.tls()->alpn;
  const bool http2 = agreed == "h2";
  if (!http2 && url_.scheme == Url::Scheme::kH2) {
    connection.close(
        Error(Code::kProtocol, fmt::format("the server does not speak HTTP/2: by TLS (ALPN) it has "
                                           "chosen '{}'",
                                           agreed)));
    return;
  }
  auto session = http2 ? make_http2_client(shared_from_this(), connection)
                       : make_http1_client(shared_from_this(), connection);
  ClientSession& made = *session;
  for (Held& held : held_) {
    if (held.connection.get() == &connection) held.session = &made;
  }
  connection.switch_protocol(std::move(session));
  --securing_;
  --connecting_;
  ready(made, http2);
}

void ClientPool::lost_handshake(net::Connection& connection, const Error& why) {
  std::erase_if(held_, [&](const Held& one) { return one.connection.get() == &connection; });
  --securing_;
  --connecting_;
  core_->stats.connect_failures.add();
  failed(Error(Code::kConnectFailed, why.message()).because(why));
}

// A connection could not be made. Calls that wait for others that are there, or come, go on to.
void ClientPool::failed(const Error& why) {
  last_failure_ = why;
  if (held_.empty() && connecting_ == 0) {
    const std::deque<std::shared_ptr<ClientCall>> waiting = std::exchange(waiting_, {});
    for (const auto& call : waiting) call->on_failed(why, ClientCall::Again::kNo);
  }
  forget_if_idle();
}

void ClientPool::closed(ClientSession& session) {
  std::erase_if(held_, [&](const Held& one) { return one.session == &session; });
  if (core_->stopped.load()) return;
  connect_more();
  forget_if_idle();
}

void ClientPool::stop(const Error& why) {
  const std::deque<std::shared_ptr<ClientCall>> waiting = std::exchange(waiting_, {});
  const std::vector<Held> held = held_;
  for (const Held& one : held) {
    if (one.session != nullptr) {
      one.session->close(why);
    } else {
      one.connection->close(why);
    }
  }
  for (const auto& call : waiting) call->on_failed(why, ClientCall::Again::kNo);
}

void ClientPool::forget_if_idle() {
  if (held_.empty() && waiting_.empty() && connecting_ == 0) core_->forget(*this);
}

}  // namespace settee::inline v0::http
