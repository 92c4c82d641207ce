// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/http_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "settee/http/client.h"

namespace settee::inline v0::rpc {

namespace {

using settee::detail::CallMode;

struct Scheme {
  std::string_view protocol;
  http::Url::Scheme scheme;
};
constexpr std::array kSchemes{
    Scheme{"http", http::Url::Scheme::kHttp}, Scheme{"https", http::Url::Scheme::kHttps},
    Scheme{"h2c", http::Url::Scheme::kH2c},   Scheme{"h2", http::Url::Scheme::kH2},
    Scheme{"grpc", http::Url::Scheme::kH2c},  Scheme{"grpcs", http::Url::Scheme::kH2},
};

const Scheme* find_scheme(std::string_view protocol) noexcept {
  for (const Scheme& scheme : kSchemes) {
    if (scheme.protocol == protocol) return &scheme;
  }
  return nullptr;
}

/// Its connections are the HTTP client's, made when calls need them: what is known of it is how the
/// latest call fared.
class HttpAddress final : public Address {
 public:
  HttpAddress(http::Url::Scheme scheme, const net::Endpoint& endpoint)
      : Address(endpoint.to_string()) {
    url_.scheme = scheme;
    url_.endpoint = endpoint;
    url_.authority = text();
  }
  const http::Url& url() const noexcept { return url_; }
  // It is asked when it is called.
  void connect() override {}
  AddressState state() const noexcept override {
    const TimePoint::rep failed = failed_at_.load(std::memory_order_relaxed);
    if (failed == 0) return AddressState::kAvailable;
    return Clock::now() - TimePoint(Duration(failed)) < kAgain ? AddressState::kRetry
                                                               : AddressState::kAvailable;
  }
  std::string trouble() const override {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }
  void reached() noexcept {
    if (failed_at_.load(std::memory_order_relaxed) == 0) return;
    const std::lock_guard lock(mutex_);
    failed_at_.store(0);
    trouble_.clear();
  }
  void failed(const Error& error) {
    const std::lock_guard lock(mutex_);
    failed_at_.store(Clock::now().time_since_epoch().count());
    trouble_ = error.message();
  }

 private:
  static constexpr Duration kAgain = std::chrono::seconds(1);  // then it is worth a call

  http::Url url_;
  std::atomic<TimePoint::rep> failed_at_{0};
  mutable std::mutex mutex_;
  std::string trouble_;
};

// The same counters as those of other protocols.
struct HttpStats {
  explicit HttpStats(Stats& all)
      : calls(all.counter("settee.rpc.client.calls", "1", "Calls sent")),
        failures(all.counter("settee.rpc.client.failures", "1", "Calls that ended with an error")),
        timeouts(
            all.counter("settee.rpc.client.timeouts", "1", "Calls without an answer in time")) {}
  Counter& calls;
  Counter& failures;
  Counter& timeouts;
};

http::ClientOptions http_options(const ClientOptions& options) {
  http::ClientOptions made;
  if (options.tls) made.tls = options.tls->options();
  made.connect_timeout = options.connect_timeout;
  made.ping_after = options.http_heartbeat;
  made.ping_timeout =
      std::max(options.heartbeat_timeout * options.heartbeat_misses, std::chrono::milliseconds(1));
  made.max_body = options.max_frame;
  made.max_unsent = options.max_unsent;
  made.max_waiting = options.max_in_flight;
  made.timeout = std::chrono::milliseconds(0);  // the call's deadline holds
  return made;
}

class HttpTransport final : public Transport, public std::enable_shared_from_this<HttpTransport> {
 public:
  HttpTransport(Runtime& r, const ClientOptions& o, std::string_view protocol)
      : runtime(r),
        options(o),
        stats(r.stats()),
        protocol_(protocol),
        scheme_(find_scheme(protocol)->scheme),
        client(r, http_options(o)) {}

  std::unique_ptr<Target> target(TargetOptions target_options) override;
  std::shared_ptr<Address> address(const net::Endpoint& endpoint, int) override {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<HttpAddress>& known = addresses_[endpoint.to_string()];
    if (auto there = known.lock()) return there;
    auto made = std::make_shared<HttpAddress>(scheme_, endpoint);
    known = made;
    if (addresses_.size() >= prune_at_) {
      std::erase_if(addresses_, [](const auto& entry) { return entry.second.expired(); });
      prune_at_ = std::max(kFirstPrune, 2 * addresses_.size());
    }
    return made;
  }
  void stop() override { client.stop(); }

  Runtime& runtime;
  const ClientOptions options;
  const HttpStats stats;

 private:
  const std::string_view protocol_;
  const http::Url::Scheme scheme_;
  static constexpr std::size_t kFirstPrune = 64;
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<HttpAddress>> addresses_;
  std::size_t prune_at_ = kFirstPrune;  // entries; addresses come and go

 public:
  http::Client client;
};

class HttpTarget final : public Target {
 public:
  HttpTarget(std::shared_ptr<HttpTransport> transport, std::string name,
             std::unique_ptr<HttpConvention> convention)
      : transport_(std::move(transport)),
        name_(std::move(name)),
        convention_(std::move(convention)) {}

  Task<void> call(Outgoing outgoing) override;

 private:
  Task<void> once(const HttpOutgoing& call, HttpAddress& address, TimePoint deadline,
                  const Context& context);

  const std::shared_ptr<HttpTransport> transport_;
  const std::string name_;
  const std::unique_ptr<HttpConvention> convention_;
};

Task<void> HttpTarget::call(Outgoing outgoing) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context context = Context::share(self.context);
  Result<void> ended = context.check(outgoing.name);
  if (!ended) co_await fail(ended.error().within(name_));
  Loop& loop = transport_->runtime.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  if (outgoing.now < loop.now()) outgoing.now = Clock::now();
  const auto next = [&]() -> Address* {
    if (outgoing.tries == nullptr) return nullptr;
    return outgoing.tries->next(outgoing, context.deadline(), ended);
  };
  for (Address* at = outgoing.address != nullptr ? outgoing.address : next(); at != nullptr;
       at = next()) {
    auto& there = static_cast<HttpAddress&>(*at);
    const TimePoint deadline = std::min(context.deadline(), outgoing.deadline);
    Baggage both;
    HttpOutgoing form{outgoing};
    form.service = name_;
    form.baggage = context.get(kRequestBaggage);
    form.headers = joined_headers(context.get(kRequestHeaders), outgoing.headers, both);
    if (deadline != kNoDeadline) form.left = deadline - outgoing.now;
    ended = co_await as_result(once(form, there, deadline, context));
    if (ended) {
      there.reached();
      continue;
    }
    transport_->stats.failures.add();
    if (ended.error().code() == Code::kTimeout) transport_->stats.timeouts.add();
    if (ended.error().code() == Code::kConnectFailed) {
      there.failed(ended.error());
    } else if (ended.error().code() != Code::kConnectionClosed) {
      there.reached();
    }
    if (ended.error().code() != Code::kBusiness) {
      ended = ended.error().within(fmt::format("{}#{} at {}", name_, outgoing.name, there.text()));
    }
  }
  if (!ended) co_await fail(ended.error());
}

Task<void> HttpTarget::once(const HttpOutgoing& call, HttpAddress& address, TimePoint deadline,
                            const Context& context) {
  if (call.call.streams != nullptr) {
    transport_->stats.calls.add();
    Baggage response;
    Task<void> streaming = convention_->stream(transport_->client, address.url(), call, response);
    const Result<void> done =
        co_await as_result(with_context(context.with_deadline(deadline), std::move(streaming)));
    if (!response.empty()) give_baggage(context, response);
    if (!done) co_await fail(done.error());
    co_return;
  }
  Result<http::Request> request = convention_->request(call);
  if (!request) co_await fail(request.error());
  transport_->stats.calls.add();
  Task<http::Response> sending =
      transport_->client.send(address.url(), *std::move(request), http::SendOptions());
  Result<http::Response> answer =
      co_await as_result(with_context(context.with_deadline(deadline), std::move(sending)));
  if (!answer) co_await fail(answer.error());
  Baggage response;
  const Result<void> read = convention_->answer(*answer, call, response);
  if (!response.empty()) give_baggage(context, response);
  if (!read) co_await fail(read.error());
}

std::unique_ptr<Target> HttpTransport::target(TargetOptions target_options) {
  auto convention = protocol_.starts_with("grpc") ? make_grpc_convention(target_options, options)
                                                  : make_rest_convention(target_options, options);
  return std::make_unique<HttpTarget>(shared_from_this(), std::move(target_options.name),
                                      std::move(convention));
}

}  // namespace

Task<void> HttpConvention::stream(http::Client&, const http::Url&, const HttpOutgoing& out,
                                  Baggage&) const {
  co_await fail(settee::detail::no_streams(out.call.method->name));
}

bool goes_over_http(std::string_view protocol) noexcept { return find_scheme(protocol) != nullptr; }

std::shared_ptr<Transport> make_http_transport(Runtime& runtime, const ClientOptions& options,
                                               std::string_view protocol) {
  return std::make_shared<HttpTransport>(runtime, options, find_scheme(protocol)->protocol);
}

}  // namespace settee::inline v0::rpc
