// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "settee/http/internal/characters.h"

namespace settee::inline v0::http {

namespace {

constexpr std::size_t kCompressFrom = 1024;
// A source that always has more lets others have their turn after so many bytes.
constexpr std::size_t kTurnBytes = 256 * 1024;
// A body must come at least so fast; who is slower keeps others out.
constexpr double kSlowest = 240;  // bytes a second

constexpr ContextKey<CancelItem> kExchange{"http.exchange"};

// In a time that does not tell how much of it is right.
bool same_secret(std::string_view a, std::string_view b) noexcept {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^
                  static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  }
  return difference == 0;
}

std::string joined(const std::vector<std::string>& items) {
  return fmt::format("{}", fmt::join(items, ", "));
}

// As access-control-allow-origin says it; empty if it may not.
std::string_view allowed_origin(const CorsOptions& cors, std::string_view origin) noexcept {
  const auto has = [&](std::string_view wanted) {
    return std::find(cors.origins.begin(), cors.origins.end(), wanted) != cors.origins.end();
  };
  if (has(origin)) return origin;
  return has("*") ? "*" : "";
}

// RFC 9110, 9.2.1
bool is_safe(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

// Resumed by on_room() and cut().
class Exchange::RoomAwaiter : public settee::detail::NativeAwaiter {
 public:
  explicit RoomAwaiter(Exchange& exchange) noexcept : exchange_(&exchange) {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> self) noexcept {
    exchange_->waiter_ = &self.promise();
  }
  void await_resume() const noexcept {}

 private:
  Exchange* exchange_;
};

Exchange::Exchange(std::shared_ptr<Server::Core> core, Loop& loop, Carrier& carrier)
    : core_(std::move(core)), loop_(loop), carrier_(&carrier) {}

Exchange::~Exchange() {
  if (running_) delist();  // the loop has ended under its handler
  if (inflow_) inflow_->bringer = nullptr;
  if (cancel_ != nullptr) cancel_->release();
}

void Exchange::cancel() const noexcept {
  if (cancel_ != nullptr) cancel_->cancel();
}

void Exchange::begin(Request request, bool body, std::optional<std::uint64_t> length) {
  begun_ = body_moved_ = loop_.now();
  request_ = std::move(request);
  version_ = request_.version;
  peer_ = request_.peer;
  head_only_ = request_.method == "HEAD";
  core_->stats.requests.add();
  core_->stats.in_flight.add();
  core_->unanswered.fetch_add(1, std::memory_order_relaxed);
  told_ = core_->ended.active();
  if (told_) {
    method_ = request_.method;
    target_ = request_.target;
  }
  if (core_->options.compress && !head_only_) {
    accepted_ = accepted_coding(request_.headers.get("accept-encoding"));
  }
  if (!let_in()) return;
  Response otherwise(404);
  try {
    handler_ = core_->router->find(request_, otherwise);
  } catch (...) {
    otherwise = problem_of(settee::detail::current_error());
  }
  if (handler_ == nullptr) {
    if (otherwise.status == 404 && otherwise.body.whole() && otherwise.body.bytes().empty()) {
      otherwise = Response::problem(404, "nothing is served under this path");
    }
    answer(std::move(otherwise));
    return;
  }
  const HandlerOptions& options = handler_->options();
  body_timeout_ =
      options.body_timeout.count() > 0 ? options.body_timeout : core_->options.body_timeout;
  if (options.streaming) {
    if (body) {
      inflow_ = std::make_shared<Inflow>();
      inflow_->loop = &loop_;
      inflow_->bringer = this;
      inflow_->reading = "reading the body of a request";
      request_.body = Body(std::make_unique<IncomingBody>(inflow_, length));
    }
    start();
    return;
  }
  if (!body) {
    start();
    return;
  }
  max_body_ = options.max_body != 0 ? options.max_body : core_->options.max_body;
  if (length && *length > max_body_) {
    refuse(RefusedBy::kBody,
           Response::problem(413, fmt::format("the body has {} bytes, at most {} are taken",
                                              *length, max_body_)));
    return;
  }
  if (const auto coding = request_.headers.find("content-encoding")) {
    encoded_ = coding_of(*coding);
    if (encoded_ == Coding::kUnknown) {
      Response response = Response::problem(415, "bodies are taken plain, gzip or deflate");
      response.headers.add("accept-encoding", "gzip, deflate");
      refuse(RefusedBy::kEncoding, std::move(response));
      return;
    }
  }
  phase_ = Phase::kCollecting;
  carrier_->want_body();
}

bool is_foreign_page(const Request& request, const CorsOptions& cors) noexcept {
  const auto origin = request.headers.find("origin");
  if (origin && !allowed_origin(cors, *origin).empty()) return false;
  if (const auto site = request.headers.find("sec-fetch-site")) {
    return *site != "same-origin" && *site != "none";
  }
  if (!origin) return false;
  // Without its scheme: TLS may end at a proxy. A page without an origin sends "null".
  const std::size_t host = origin->find("://");
  return host == std::string_view::npos ||
         !same_name(origin->substr(host + 3), request.headers.get("host"));
}

// Who may ask at all. False: it has been answered.
bool Exchange::let_in() {
  const ServerOptions& options = core_->options;
  const auto origin = request_.headers.find("origin");
  if (origin && !options.cors.origins.empty()) {
    origin_ = allowed_origin(options.cors, *origin);
    const auto asks = request_.headers.find("access-control-request-method");
    // Browsers send no token with it.
    if (request_.method == "OPTIONS" && asks) {
      if (origin_.empty()) {
        answer(Response::problem(403, "pages of this origin may not use this server"));
        return false;
      }
      Response response(204);
      response.headers.add("access-control-allow-methods", joined(options.cors.methods));
      if (const auto wanted = request_.headers.find("access-control-request-headers")) {
        const auto& headers = options.cors.headers;
        const bool any = std::find(headers.begin(), headers.end(), "*") != headers.end();
        response.headers.add("access-control-allow-headers",
                             any ? std::string(*wanted) : joined(headers));
      }
      response.headers.add("access-control-max-age", std::to_string(options.cors.max_age.count()));
      answer(std::move(response));
      return false;
    }
  }
  // Browsers send an Origin with every request that is not to be safe.
  if (origin && !is_safe(request_.method) && is_foreign_page(request_, options.cors)) {
    refuse(RefusedBy::kOrigin,
           Response::problem(403, fmt::format("pages of {} may not act on this server; "
                                              "CorsOptions::origins names those that may",
                                              origin->substr(0, 200))));
    return false;
  }
  if (!options.token.empty()) {
    constexpr std::string_view kScheme = "bearer ";
    const std::string_view given = request_.headers.get("authorization");
    if (given.size() < kScheme.size() || !same_name(given.substr(0, kScheme.size()), kScheme) ||
        !same_secret(trim(given.substr(kScheme.size())), options.token)) {
      Response response = Response::problem(401, "this server wants a bearer token");
      response.headers.add("www-authenticate", "Bearer");
      refuse(RefusedBy::kToken, std::move(response));
      return false;
    }
  }
  return true;
}

std::size_t Exchange::on_body(std::span<const std::uint8_t> data) {
  received_ += data.size();
  body_moved_ = loop_.now();
  if (inflow_ && inflow_->bringer != nullptr) {
    inflow_->add(data);
    inflow_->wake();
    return 0;
  }
  if (phase_ != Phase::kCollecting) return data.size();
  if (received_ > max_body_) {
    body_.clear();
    refuse(RefusedBy::kBody,
           Response::problem(
               413, fmt::format("the body is larger than the {} bytes that are taken", max_body_)));
    return data.size();
  }
  body_.append(data.data(), data.size());
  return data.size();
}

void Exchange::on_body_end(Headers trailers) {
  if (inflow_) {
    inflow_->ended = true;
    inflow_->trailers = std::move(trailers);
    inflow_->wake();
    return;
  }
  if (phase_ != Phase::kCollecting) return;
  request_.body = Body(body_.bytes());
  body_.clear();
  if (encoded_ != Coding::kNone) {
    Result<Bytes> plain = decompress(encoded_, request_.body.bytes(), max_body_);
    if (!plain) {
      const bool large = plain.error().code() == Code::kLimit;
      refuse(large ? RefusedBy::kBody : RefusedBy::kEncoding, Response::problem(plain.error()));
      return;
    }
    request_.body = Body(*std::move(plain));
    request_.headers.remove("content-encoding");
    request_.headers.remove("content-length");
  }
  request_.body.set_trailers(std::move(trailers));
  start();
}

bool Exchange::body_late(TimePoint now, TimePoint could_not) const noexcept {
  const TimePoint moved = std::max(body_moved_, could_not);
  if (phase_ == Phase::kCollecting) {
    const std::chrono::duration<double> grace(static_cast<double>(received_) / kSlowest);
    return now - moved >= body_timeout_ || now - begun_ >= body_timeout_ + grace;
  }
  // A streaming handler may read as slowly as it likes; only what it waits for can be late.
  return carrier_ != nullptr && inflow_ && inflow_->reader && inflow_->buffered == 0 &&
         !inflow_->ended && now - std::max(moved, inflow_->wanted) >= body_timeout_;
}

void Exchange::want_body() {
  if (carrier_ != nullptr) carrier_->want_body();
}

void Exchange::taken(std::size_t size) {
  if (carrier_ != nullptr) carrier_->body_taken(size);
}

void Exchange::on_room() {
  if (waiter_ != nullptr) settee::detail::schedule(*std::exchange(waiter_, nullptr));
}

void Exchange::cut(const Error& why) {
  carrier_ = nullptr;
  if (inflow_ && !inflow_->ended && !inflow_->error) {
    inflow_->error = why;
    inflow_->wake();
  }
  tell_end();
  give_back();
  cancel();
  on_room();
}

void Exchange::refuse(RefusedBy by, Response response) {
  core_->refused(by);
  if (carrier_ == nullptr) return;
  if (phase_ == Phase::kNew || phase_ == Phase::kCollecting) {
    answer(std::move(response));
  } else if (phase_ != Phase::kEnded) {
    // A handler has it: it is told by its Context, and cannot answer any more.
    Carrier& carrier = *carrier_;
    const Error why(Code::kLimit, fmt::format("the request was refused ({})", to_string(by)));
    cut(why);
    carrier.abort(why);
  }
}

void Exchange::start() {
  phase_ = Phase::kHandling;
  running_ = true;
  core_->running.fetch_add(1, std::memory_order_relaxed);
  enlist();
  const auto own = handler_->options().timeout;
  const auto timeout = own.count() > 0 ? own : core_->options.timeout;
  cancel_ = new CancelItem;
  cancel_->retain();
  run(shared_from_this())
      .start(Context::begin(timeout.count() > 0 ? begun_ + timeout : kNoDeadline, &kExchange,
                            cancel_));
}

settee::detail::Detached Exchange::run([[maybe_unused]] std::shared_ptr<Exchange> self) {
  std::optional<Response> response;
  std::optional<Error> error;
  {
    std::optional<Task<Response>> task;
    try {
      task.emplace((*handler_)(std::move(request_)));
    } catch (...) {
      error = settee::detail::current_error();
    }
    if (task) {
      Result<Response> made = co_await as_result(*std::move(task));
      if (made) {
        response.emplace(*std::move(made));
      } else {
        error = made.error();
      }
    }
  }
  if (!loop_.in_loop()) co_await resume_on(loop_);
  if (carrier_ != nullptr) {
    if (error) response.emplace(problem_of(*error));
    if (send(*response)) {
      const Result<void> sent = co_await as_result(send_parts(response->body));
      if (!sent && carrier_ != nullptr) fail_answer(sent.error());
    }
  }
  response.reset();  // its body may be of the handler's making, too
  handler_ended();
}

Response Exchange::problem_of(const Error& error) {
  Response response = Response::problem(error);
  if (response.status == 500) {
    core_->peer_log.warn(
        fmt::format("a handler failed, for {}: {}", peer_ ? peer_->text : "a peer", error.what()));
    // What escaped by accident may tell what is nobody's business.
    if (error.code() == Code::kUnknown) return Response::problem(500, "the handler failed");
  }
  return response;
}

void Exchange::enlist() noexcept {
  Exchange*& first = core_->of(loop_).running;
  next_running_ = first;
  to_this_ = &first;
  if (first != nullptr) first->to_this_ = &next_running_;
  first = this;
}

void Exchange::delist() noexcept {
  *to_this_ = next_running_;
  if (next_running_ != nullptr) next_running_->to_this_ = to_this_;
}

void Exchange::handler_ended() noexcept {
  running_ = false;
  delist();
  handler_.reset();
  drop_body();
  if (on_handler_end) std::exchange(on_handler_end, nullptr)();
  core_->running.fetch_sub(1, std::memory_order_release);
}

// Of a streaming handler that has ended: what comes is let through.
void Exchange::drop_body() noexcept {
  if (!inflow_ || inflow_->bringer == nullptr) return;
  inflow_->bringer = nullptr;
  // Somebody may have kept the body all the same: a part of it must not look like the whole.
  if ((!inflow_->ended || inflow_->buffered > 0) && !inflow_->error) {
    inflow_->error = Error(Code::kCancelled, "the body of a request: its handler has ended");
  }
  inflow_->parts.clear();
  inflow_->tail.clear();
  if (const std::size_t size = std::exchange(inflow_->buffered, 0); size > 0) taken(size);
  inflow_->wake();
}

void Exchange::answer(Response response) {
  if (!send(response)) return;
  // Of a Router, which has nobody to wait for its parts.
  fail_answer(Error(Code::kMisuse, "an answer of a Router must have a whole body"));
}

// True: the parts of its body have to follow.
bool Exchange::send(Response& response) noexcept {
  std::optional<Error> error;
  try {
    prepare(response);
    if (!send_start(response)) return false;
    if (!response.body.whole()) return true;
    const Headers& trailers = response.body.trailers();
    carrier_->send_body(response.body.bytes(), trailers.empty());
    if (!trailers.empty() && carrier_ != nullptr) carrier_->send_trailers(trailers);
    finish();
    return false;
  } catch (...) {
    error = settee::detail::current_error();
  }
  if (carrier_ == nullptr) return false;
  if (phase_ >= Phase::kAnswering) {
    fail_answer(*error);
    return false;
  }
  // What a handler has made can throw too, e.g. when it is asked for its size.
  compressor_.reset();
  response = problem_of(*error);
  return send(response);
}

void Exchange::prepare(Response& response) {
  if (response.status < 200 || response.status > 599) {
    core_->log(LogLevel::kError, fmt::format("a handler answered with status {}, which is none "
                                             "(200 to 599); the client gets 500",
                                             response.status));
    response = Response::problem(500, "the handler failed");
  }
  Headers& headers = response.headers;
  // They belong to the connection, not to handlers.
  for (const char* name :
       {"connection", "content-length", "transfer-encoding", "keep-alive", "upgrade"}) {
    headers.remove(name);
  }
  if (!core_->options.cors.origins.empty()) {
    if (!origin_.empty()) {
      headers.set("access-control-allow-origin", origin_);
      if (core_->options.cors.credentials) {
        headers.set("access-control-allow-credentials", "true");
      }
    }
    if (origin_ != "*") headers.add("vary", "origin");
  }
  if (core_->options.compress) compress(response);
  status_ = response.status;
  if (status_ >= 500) core_->stats.failures.add();
}

void Exchange::compress(Response& response) {
  Headers& headers = response.headers;
  const bool worth = response.status == 200 &&
                     (!response.body.whole() || response.body.bytes().size() >= kCompressFrom) &&
                     compressible(headers.get("content-type")) &&
                     !headers.find("content-encoding") &&
                     !headers.has("cache-control", "no-transform");
  if (!worth) return;
  headers.add("vary", "accept-encoding");
  if (accepted_ == Coding::kNone) return;
  headers.add("content-encoding", to_string(accepted_));
  if (const auto tag = headers.find("etag"); tag && tag->starts_with('"')) {
    headers.set("etag", fmt::format("W/{}", *tag));  // other bytes than those that it stands for
  }
  compressor_ = std::make_unique<Compressor>(accepted_);
  if (response.body.whole()) {
    Body packed(compressor_->add(response.body.bytes(), true));
    packed.set_trailers(response.body.trailers());
    response.body = std::move(packed);
    compressor_.reset();
  }
}

// False: that was all of it.
bool Exchange::send_start(Response& response) {
  const bool bodyless = status_ == 204 || status_ == 304;
  // HTTP/1 has trailers only behind a body of unknown length.
  const bool trailed = response.body.whole() && !response.body.trailers().empty();
  if (!compressor_ && !trailed) length_ = response.body.size();
  phase_ = Phase::kAnswering;
  const bool end = bodyless || head_only_ ||
                   (response.body.whole() && response.body.bytes().empty() && !trailed);
  carrier_->send_head(response, bodyless ? std::nullopt : length_, end);
  if (carrier_ == nullptr) return false;  // a large head is written at once, and the peer had gone
  if (end) {
    finish();
    return false;
  }
  if (response.body.whole()) sent_ = response.body.bytes().size();
  return true;
}

Task<void> Exchange::send_parts(Body& body) {
  std::size_t this_turn = 0;
  for (;;) {
    Result<std::optional<Bytes>> part = co_await as_result(body.next());
    if (!loop_.in_loop()) co_await resume_on(loop_);
    if (carrier_ == nullptr) co_return;
    if (!part) {
      fail_answer(part.error());
      co_return;
    }
    const bool last = !*part;
    Bytes bytes = last ? Bytes() : **std::move(part);
    if (compressor_) bytes = compressor_->add(bytes, last);
    sent_ += bytes.size();
    if (length_ && (sent_ > *length_ || (last && sent_ < *length_))) {
      fail_answer(Error(Code::kMisuse, fmt::format("a body of {} bytes gave {}", *length_, sent_)));
      co_return;
    }
    if (last) {
      const Headers& trailers = body.trailers();
      if (!bytes.empty() || trailers.empty()) carrier_->send_body(bytes, trailers.empty());
      if (!trailers.empty() && carrier_ != nullptr) carrier_->send_trailers(trailers);
      finish();
      co_return;
    }
    if (bytes.empty()) continue;
    this_turn += bytes.size();
    carrier_->send_body(std::move(bytes), false);
    while (carrier_ != nullptr && !carrier_->has_room()) {
      co_await RoomAwaiter(*this);
      this_turn = 0;
    }
    if (carrier_ == nullptr) co_return;
    if (this_turn >= kTurnBytes) {
      loop_.next_turn(turn_hook_);
      co_await RoomAwaiter(*this);
      this_turn = 0;
    }
  }
}

void Exchange::fail_answer(const Error& why) {
  core_->stats.failures.add();
  core_->peer_log.warn(fmt::format("an answer to {} was broken off: {}",
                                   peer_ ? peer_->text : "a peer", why.what()));
  Carrier& carrier = *carrier_;
  cut(why);
  carrier.abort(why);
}

void Exchange::finish() {
  phase_ = Phase::kEnded;
  tell_end();
  give_back();
  if (carrier_ == nullptr) return;
  drop_body();  // as long as there is somebody to give its credit back to
  if (carrier_ != nullptr) std::exchange(carrier_, nullptr)->ended();
}

// What it kept for a handler that will never run. Who removes that does not wait for it.
void Exchange::give_back() {
  if (running_) return;
  handler_.reset();
  body_.clear();
  if (on_handler_end) std::exchange(on_handler_end, nullptr)();
}

void Exchange::tell_end() {
  if (std::exchange(end_told_, true)) return;
  core_->stats.in_flight.subtract();
  core_->unanswered.fetch_sub(1, std::memory_order_release);
  if (!told_) return;
  RequestEnded event;
  event.method = method_;
  event.target = target_;
  if (peer_) event.peer = peer_->text;
  event.version = version_;
  event.status = status_;
  event.bytes_in = received_;
  event.bytes_out = head_only_ ? 0 : sent_;
  event.time = Clock::now() - begun_;
  core_->ended.publish(event);
}

}  // namespace settee::inline v0::http
