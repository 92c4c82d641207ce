// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/local_run.h"

#include <fmt/format.h>

#include "settee/base/detail/copy_value.h"
#include "settee/hessian/codec.h"

namespace settee::inline v0::rpc {

using settee::detail::CallMode;
using settee::detail::Parking;

namespace {

constexpr std::string_view kNoAnswer = "no answer before the deadline";

// A value on its way between two descriptions of it: what the wire would make of it.
Result<void> translate(const TypeInfo& from, const void* value, const TypeInfo& to, void* out) {
  if (from.kind == Kind::kMessage && to.kind == Kind::kMessage) {
    std::string bytes(from.message_size(value), '\0');
    if (!from.message_write(value, bytes.data(), bytes.size())) {
      return Error(Code::kEncode,
                   "the protobuf message cannot be written; a required field may be "
                   "missing");
    }
    if (to.message_read(out, bytes.data(), bytes.size())) return {};
    return Error(Code::kDecode, fmt::format("{} bytes are no such protobuf message", bytes.size()));
  }
  Result<Bytes> bytes = hessian::to_bytes(from, value);
  if (!bytes) return bytes.error();
  hessian::Reader reader(bytes->span());
  hessian::DecodeOptions options;
  options.null_scalar_is_error = true;
  return hessian::decode(reader, to, out, options);
}

// An object of a described type that waits for its loop.
class Aside {
 public:
  Aside() = default;
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  ~Aside() {
    if (object_ == nullptr) return;
    type_->destroy(object_);
    ::operator delete(object_);
  }
  /// A fresh object.
  void* make(const TypeInfo& type) {
    type_ = &type;
    void* const room = ::operator new(type.size);
    type.construct(room);
    return object_ = room;
  }
  const void* object() const noexcept { return object_; }

 private:
  const TypeInfo* type_ = nullptr;
  void* object_ = nullptr;
};

}  // namespace

LocalHeaders::LocalHeaders(const Outgoing& outgoing, const Context& caller) {
  for (const Baggage* some : {outgoing.headers, caller.get(kRequestHeaders)}) {
    if (some != nullptr) headers_.insert(some->begin(), some->end());
  }
}

void LocalHeaders::each(
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  for (const auto& [name, value] : headers_) {
    if (!visit(name, value)) return;
  }
}

namespace {
// Made before what points to them.
struct KeepsHeaders {
  LocalHeaders headers;
};
}  // namespace

/// The provider's side of it: lives in the frame of run_local().
class LocalCall final : private KeepsHeaders, public HostedCall, public ServerStreams {
 public:
  LocalCall(LocalWay& way, LocalRun& run, const Context& caller, Loop& loop)
      : KeepsHeaders{LocalHeaders(run.outgoing_, caller)},
        HostedCall(way, loop, run.outgoing_.now,
                   run.outgoing_.mode == CallMode::kOneway ? kNoDeadline : run.deadline_, &headers),
        direct_(way.direct),
        run_(&run),
        outgoing_(run.outgoing_),
        oneway_(outgoing_.mode == CallMode::kOneway) {
    run.call_ = this;
  }

  /// What a remote provider's handler would have of the caller's, its cancellation and its span.
  Context context_from(const Context& caller) {
    Origin origin;
    origin.protocol = way_.peer;
    origin.invoke_type = invoke_type(outgoing_.mode);
    if (way_.server != nullptr) origin.peer_app = way_.server->options.app_name;
    origin.baggage = caller.get(kRequestBaggage);
    origin.span = caller.span();
    if (!oneway_) origin.stop = caller.stop_token();
    return make_context(origin);
  }

  // MethodFrame
  bool read_arguments(void* const* places) override {
    if (run_ == nullptr) return false;  // nobody waits, and what he passed is gone
    const std::span<const ParameterInfo> parameters = way_.method->parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Result<void> read = read_argument(i, *parameters[i].type, places[i]);
      if (read) continue;
      fail(Error(Code::kPeerDecode, fmt::format("reading the arguments: argument {} '{}': {}",
                                                i + 1, parameters[i].name, read.error().what())));
      return false;
    }
    if (oneway_) release(std::nullopt);
    return true;
  }
  void write_result(const void* result) override {
    answered_ = true;
    const TypeInfo& type = *way_.method->result;
    if (oneway_ || result == nullptr || type.kind == Kind::kVoid) return;
    if (loop_.in_loop()) {
      if (run_ != nullptr) give(type, result);
      return;
    }
    // The caller may give up at any time, but on its loop only.
    Result<void> kept = settee::detail::can_copy(type)
                            ? settee::detail::copy_value(type, aside_.make(type), result)
                            : translate(type, result, type, aside_.make(type));
    if (!kept) fail_result(kept.error());
  }

  ServerStreams* streams() override { return outgoing_.streams != nullptr ? this : nullptr; }

  // ServerStreams
  Task<bool> next_message(void* message) override {
    if (run_ == nullptr) co_return gone();
    const UsesStreams here(*run_);
    Result<const void*> next = co_await as_result(outgoing_.streams->ends.next_message());
    if (!next) co_return next.error();
    if (*next == nullptr) co_return false;
    outgoing_.streams->begun = true;
    const Result<void> read =
        hand_over(*outgoing_.method->request_stream, *next, *way_.method->request_stream, message);
    if (!read) {
      co_return Error(Code::kPeerDecode,
                      fmt::format("reading a message of the request: {}", read.error().what()));
    }
    co_return true;
  }
  Task<bool> send_message(const void* message) override {
    if (run_ == nullptr) co_return false;
    const UsesStreams here(*run_);
    outgoing_.streams->begun = true;
    const Result<void> written =
        hand_over(*way_.method->response_stream, message, *outgoing_.method->response_stream,
                  outgoing_.streams->ends.room());
    if (!written) {
      co_return Error(Code::kPeerEncode,
                      fmt::format("writing a message of the response: {}", written.error().what()));
    }
    Task<bool> giving = outgoing_.streams->ends.give_message();
    co_return co_await std::move(giving);
  }

  /// On the loop, when all has ended. Wakes nobody: what waits is to be woken when this has gone.
  std::shared_ptr<Parking::State> finish(const Result<void>& done) {
    if (done && run_ != nullptr && !answered_ && !failure_ && !oneway_) {
      return finish(no_answer(call_));
    }
    if (run_ != nullptr && !failure_ && done && aside_.object() != nullptr) {
      give(*way_.method->result, aside_.object());
    }
    conclude(done);
    if (run_ == nullptr) return nullptr;
    std::optional<Error> error = std::move(failure_);
    if (!error && !done) {
      // Its deadline may end the method before it wakes the caller, who then has no answer.
      // Streams have no form in Bolt, in whose terms callers are told of other failures.
      error = loop_.now() >= run_->deadline_ ? Error(Code::kTimeout, std::string(kNoAnswer))
              : outgoing_.streams != nullptr ? done.error()
                                             : received_error(done.error());
    }
    if (error && error->code() != Code::kBusiness) {
      error = error->within(
          fmt::format("{}#{} at {}", way_.service, way_.method->wire_name, way_.peer));
    }
    return release(std::move(error));
  }

 private:
  friend class LocalRun;

  // While a coroutine of the call is with the caller's streams.
  class UsesStreams {
   public:
    explicit UsesStreams(LocalRun& run) noexcept : run_(run) { ++run_.using_streams_; }
    ~UsesStreams() {
      if (--run_.using_streams_ == 0 && run_.left_streams_) Parking::wake(run_.left_streams_);
    }
    UsesStreams(const UsesStreams&) = delete;
    UsesStreams& operator=(const UsesStreams&) = delete;

   private:
    LocalRun& run_;
  };
  Error gone() const { return settee::detail::caller_gone(way_.method->name); }
  Result<void> hand_over(const TypeInfo& from, const void* value, const TypeInfo& to,
                         void* place) const {
    return direct_ ? settee::detail::copy_value(to, place, value)
                   : translate(from, value, to, place);
  }

  Result<void> read_argument(std::size_t i, const TypeInfo& type, void* place) {
    if (direct_) return settee::detail::copy_value(type, place, outgoing_.arguments[i]);
    if (outgoing_.method == nullptr) {
      return translate(type_of<hessian::Value>(), &outgoing_.values[i], type, place);
    }
    return translate(*outgoing_.method->parameters[i].type, outgoing_.arguments[i], type, place);
  }
  // The result, into the caller's object.
  void give(const TypeInfo& type, const void* result) {
    const TypeInfo& wanted =
        outgoing_.method == nullptr ? type_of<hessian::Value>() : *outgoing_.method->result;
    if (outgoing_.result == nullptr || wanted.kind == Kind::kVoid) return;
    Result<void> given = direct_ ? settee::detail::copy_value(type, outgoing_.result, result)
                                 : translate(type, result, wanted, outgoing_.result);
    if (!given) fail_result(given.error());
  }
  void fail_result(const Error& error) {
    fail(Error(Code::kPeerEncode, fmt::format("writing the result: {}", error.what())));
  }
  // The caller is done with it.
  std::shared_ptr<Parking::State> release(std::optional<Error> error) {
    LocalRun& run = *std::exchange(run_, nullptr);
    run.call_ = nullptr;
    run.ended_ = true;
    run.error_ = std::move(error);
    if (!oneway_ && !item_->response.empty()) run.response_ = item_->response;
    if (!run.parking_) return nullptr;
    if (!oneway_) return run.parking_->waker();
    run.parking_->wake();
    return nullptr;
  }

  const bool direct_;
  LocalRun* run_;            // null when the caller has given up, or has what it waits for
  const Outgoing outgoing_;  // what it points to is the caller's, there while run_ is
  const bool oneway_;
  Aside aside_;  // the result of a blocking method
};

namespace {

settee::detail::Detached run_local(LocalWay way, LocalRun& run, const Context& caller, Loop& loop) {
  std::shared_ptr<Parking::State> waiting;
  {
    LocalCall call(way, run, caller, loop);
    const settee::detail::ContextSwitch inside(co_await settee::detail::this_promise(),
                                               call.context_from(caller));
    const Result<void> done = co_await as_result(call.serve());
    if (!loop.in_loop()) co_await resume_on(loop);
    waiting = call.finish(done);
  }
  if (waiting) Parking::wake(waiting);
}

}  // namespace

LocalRun::~LocalRun() {
  if (call_ != nullptr) call_->run_ = nullptr;
}

void LocalRun::begin(LocalWay&& way, const Context& caller) {
  Loop& loop = *Loop::current();
  const char* const before = loop.working_on();
  loop.working_on(way.label);
  run_local(std::move(way), *this, caller, loop).start(Context());
  loop.working_on(before);
}

void LocalRun::after_wait(Parking::Reason reason) {
  parking_.reset();
  if (ended_) return;
  const HostedWay& way = call_->way_;
  const std::string where =
      fmt::format("{}#{} at {}", way.service, way.method->wire_name, way.peer);
  error_ = reason == Parking::Reason::kCancelled
               ? Error(Code::kCancelled, where + ": cancelled by the caller")
               : Error(Code::kTimeout, fmt::format("{}: {}", where, kNoAnswer));
  call_->run_ = nullptr;
  call_ = nullptr;
  ended_ = true;
}

Task<void> LocalRun::leave_streams() {
  while (using_streams_ > 0) {
    // Whatever has become of the caller's Context: what waits there is about to end.
    Parking parking;
    left_streams_ = parking.waker();
    Task<void> waiting = [](Parking& left) -> Task<void> { co_await left.wait(); }(parking);
    co_await with_context(Context(), std::move(waiting));
    left_streams_.reset();
  }
}

const std::optional<Error>& LocalRun::finish(const Context& caller) {
  if (!response_.empty()) {
    if (const auto* wanted = caller.get(kResponseBaggage); wanted != nullptr && *wanted) {
      for (const auto& [key, value] : response_) (**wanted)[key] = value;
    }
  }
  return error_;
}

bool same_values(const TypeInfo& from, const TypeInfo& to) {
  // Equal addresses mean equal types; of two modules' descriptions nothing is said by them.
  return &from == &to && settee::detail::can_copy(to);
}

bool is_direct(const MethodInfo& caller, const MethodInfo& method) {
  if (caller.parameters.size() != method.parameters.size()) return false;
  for (std::size_t i = 0; i < method.parameters.size(); ++i) {
    if (!same_values(*caller.parameters[i].type, *method.parameters[i].type)) return false;
  }
  const auto same_stream = [](const TypeInfo* from, const TypeInfo* to) {
    return from == nullptr || to == nullptr || same_values(*from, *to);
  };
  return same_values(*method.result, *caller.result) &&
         same_stream(caller.request_stream, method.request_stream) &&
         same_stream(method.response_stream, caller.response_stream);
}

Result<void> same_streams(const Outgoing& outgoing, const MethodInfo& method) {
  if (outgoing.streams == nullptr) return {};  // of a streaming method it is told there
  const MethodInfo& caller = *outgoing.method;
  if ((caller.request_stream == nullptr) == (method.request_stream == nullptr) &&
      (caller.response_stream == nullptr) == (method.response_stream == nullptr)) {
    return {};
  }
  return Error(Code::kMisuse, fmt::format("{}: the caller's description and the provider's differ "
                                          "in what is a stream",
                                          method.name));
}

TimePoint deadline_of(const Outgoing& outgoing, const Context& context) {
  return std::min(context.deadline(), outgoing.deadline);
}

}  // namespace settee::inline v0::rpc
