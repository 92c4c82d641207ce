// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>

#include "settee/http/internal/client_core.h"
#include "settee/http/internal/compression.h"

namespace settee::inline v0::http {

namespace {

// A source that always has more lets others have their turn after so many bytes.
constexpr std::size_t kTurnBytes = 256 * 1024;

// What the caller of a streaming send() has. Letting go of it before the end ends the call.
class AnswerBody final : public IncomingBody {
 public:
  AnswerBody(std::shared_ptr<Inflow> inflow, std::optional<std::uint64_t> size,
             std::shared_ptr<ClientCall> call, Loop& loop)
      : IncomingBody(std::move(inflow), size), call_(std::move(call)), loop_(loop) {}
  ~AnswerBody() override {
    const auto drop = [call = std::move(call_)] {
      call->give_up(Error(Code::kCancelled, "its reader has let go of it"));
    };
    if (loop_.in_loop()) {
      drop();
    } else {
      loop_.post(drop);
    }
  }

 private:
  std::shared_ptr<ClientCall> call_;
  Loop& loop_;
};

}  // namespace

ClientCall::ClientCall(std::shared_ptr<Client::Core> core, Loop& loop, const Url& to, Request what,
                       bool streaming, std::size_t max_body)
    : url(to),
      request(std::move(what)),
      core_(std::move(core)),
      loop_(loop),
      context_(settee::context()),
      streaming_(streaming),
      max_body_(max_body) {
  core_->stats.in_flight.add();
}

std::string_view ClientCall::host() const noexcept {
  return request.headers.find("host").value_or(url.authority);
}

void ClientCall::begun(ClientSession& session) {
  where_ = Where::kBegun;
  session_ = &session;
  begun_at = loop_.now();
}

void ClientCall::pump_body() {
  pumped_ = true;
  pump_cancel_.emplace(context_);
  pump(shared_from_this()).start(pump_cancel_->context());
}

settee::detail::Detached ClientCall::pump([[maybe_unused]] std::shared_ptr<ClientCall> self) {
  const std::optional<std::uint64_t> size = request.body.size();
  std::uint64_t given = 0;
  std::size_t this_turn = 0;
  std::optional<Error> error;
  while (!done()) {
    Result<std::optional<Bytes>> part = co_await as_result(request.body.next());
    if (!loop_.in_loop()) co_await resume_on(loop_);
    if (done()) break;
    if (!part) {
      error = part.error().within("reading the body to be sent");
      break;
    }
    given += *part ? (*part)->size() : 0;
    if (size && (*part ? given > *size : given != *size)) {
      error = Error(Code::kInvalidArgument,
                    fmt::format("the body to be sent has {} {} bytes, and its size() said {}",
                                *part ? "at least" : "only", given, *size));
      break;
    }
    if (!*part) {
      sent_ = true;
      if (request.body.trailers().empty()) {
        session_->send_body(*this, Bytes(), true);
      } else {
        session_->send_trailers(*this, request.body.trailers());
      }
      break;
    }
    this_turn += (*part)->size();
    if (!(*part)->empty()) session_->send_body(*this, **std::move(part), false);
    while (!done() && (this_turn >= kTurnBytes || !session_->has_room(*this))) {
      settee::detail::Parking parking;
      room_ = parking.waker();
      if (std::exchange(this_turn, 0) >= kTurnBytes) loop_.next_turn(turn_hook_);
      const settee::detail::Parking::Reason reason = co_await parking.wait();
      room_.reset();
      if (done() || reason == settee::detail::Parking::Reason::kWoken) continue;
      error = settee::detail::Parking::error(reason, "sending the body");
      break;
    }
    if (error) break;
  }
  if (error && !done()) give_up(*error);
}

void ClientCall::on_room() {
  if (room_) settee::detail::Parking::wake(room_);
}

Task<void> ClientCall::wait(TimePoint until) {
  const bool enough = done() || (streaming_ && head_done_);
  if (!enough) {
    settee::detail::Parking parking;
    waiter_ = parking.waker();
    const settee::detail::Parking::Reason reason = co_await parking.wait(until);
    waiter_.reset();
    if (reason != settee::detail::Parking::Reason::kWoken && !error_) {
      const std::string at = step();
      if (reason == settee::detail::Parking::Reason::kCancelled) {
        give_up(Error(Code::kCancelled, at + ": cancelled by the caller"));
      } else {
        core_->stats.timeouts.add();
        give_up(Error(Code::kTimeout, at + ": it took too long"));
      }
    }
  }
  if (error_) co_await fail(*error_);
}

Request ClientCall::give_back() {
  if (!pumped_) return std::move(request);
  Request head;
  head.method = request.method;
  head.target = request.target;
  head.headers = request.headers;
  return head;
}

Response ClientCall::take_response() {
  if (inflow_) {
    response_.body =
        Body(std::make_unique<AnswerBody>(inflow_, length_, shared_from_this(), loop_));
  }
  return std::move(response_);
}

std::string ClientCall::step() const {
  if (where_ == Where::kQueued) return pool_->waits_for();
  if (!head_done_) return sent_ ? "waiting for the answer" : "sending the request";
  return fmt::format("reading the answer's body ({} bytes came)", received_);
}

bool ClientCall::on_head(Response head, std::optional<std::uint64_t> length, bool end) {
  head_done_ = true;
  response_ = std::move(head);
  if (streaming_) {
    if (!end) {
      inflow_ = std::make_shared<Inflow>();
      inflow_->loop = &loop_;
      inflow_->bringer = this;
      inflow_->reading = "reading the body of an answer";
      length_ = length;
      wake();
    }
    return true;
  }
  if (length && *length > max_body_ && !end) {
    core_->refused(ClientLimit::kBody);
    on_failed(Error(Code::kLimit, fmt::format("the answer's body has {} bytes, at most {} are "
                                              "taken (max_body)",
                                              *length, max_body_)),
              Again::kNo);
    return false;
  }
  return true;
}

std::optional<std::size_t> ClientCall::on_body(std::span<const std::uint8_t> data) {
  received_ += data.size();
  if (inflow_) {
    inflow_->add(data);
    inflow_->wake();
    return 0;
  }
  if (received_ > max_body_) {
    core_->refused(ClientLimit::kBody);
    on_failed(Error(Code::kLimit, fmt::format("the answer's body has more than the {} bytes that "
                                              "are taken (max_body)",
                                              max_body_)),
              Again::kNo);
    return std::nullopt;
  }
  body_.append(data.data(), data.size());
  return data.size();
}

void ClientCall::taken(std::size_t size) {
  if (session_ != nullptr) session_->body_taken(*this, size);
}

Result<void> ClientCall::unpack() {
  if (!codings) return {};
  const Coding coding = coding_of(response_.headers.get("content-encoding"));
  if (coding == Coding::kNone || body_.empty()) return {};
  if (coding == Coding::kUnknown) {
    return Error(Code::kDecode,
                 fmt::format("the answer has Content-Encoding {}, which was not asked for",
                             response_.headers.get("content-encoding")));
  }
  Result<Bytes> plain = decompress(coding, body_.bytes(), max_body_);
  if (!plain) {
    if (plain.error().code() == Code::kLimit) core_->refused(ClientLimit::kBody);
    return plain.error().within("unpacking the answer");
  }
  body_.clear();
  body_.append(*std::move(plain));
  response_.headers.remove("content-encoding");
  response_.headers.remove("content-length");
  return {};
}

void ClientCall::on_end(Headers trailers) {
  if (inflow_) {
    const std::shared_ptr<Inflow> in = inflow_;
    in->ended = true;
    in->trailers = std::move(trailers);
    leave();
    in->wake();
    return;
  }
  if (Result<void> plain = unpack(); !plain) {
    on_failed(plain.error(), Again::kNo);
    return;
  }
  response_.body = Body(body_.bytes());
  response_.body.set_trailers(std::move(trailers));
  leave();
  wake();
}

void ClientCall::on_failed(Error error, Again again) {
  if (done()) return;
  error_ = std::move(error);
  again_ = again;
  leave();
  if (inflow_ && !inflow_->ended && !inflow_->error) {
    inflow_->error = error_->within(fmt::format("{} {}", request.method, url.origin()));
    inflow_->wake();
  }
  wake();
}

void ClientCall::give_up(const Error& why) {
  if (done()) return;
  const std::shared_ptr<ClientCall> self = shared_from_this();
  if (where_ == Where::kQueued) pool_->withdraw(*this);
  ClientSession* const session = session_;
  on_failed(why, Again::kNo);
  if (session != nullptr) session->abandon(*this);
}

// No session or pool has it any more, and its request is not sent on.
void ClientCall::leave() {
  if (std::exchange(where_, Where::kDone) != Where::kDone) core_->stats.in_flight.subtract();
  session_ = nullptr;
  if (inflow_) inflow_->bringer = nullptr;
  if (pump_cancel_) pump_cancel_->cancel();
  turn_hook_.unqueue();
  on_room();
}

void ClientCall::wake() {
  if (waiter_) settee::detail::Parking::wake(waiter_);
}

}  // namespace settee::inline v0::http
