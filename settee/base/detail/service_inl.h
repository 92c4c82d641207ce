// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How method tables and proxies are made from SETTEE_SERVICE. Included by service.h.

#pragma once

#include <array>

#include "settee/base/service.h"

namespace settee::inline v0 {
namespace detail {

// What joins the streams of described methods to the type-erased ones of a protocol.

// Messages between a protocol and a method: few, as each may be as long as the protocol allows.
inline constexpr std::size_t kStreamQueue = 8;

template <class T>
struct StreamOf {
  static constexpr bool kIs = false;
};
template <class T>
struct StreamOf<AsyncStream<T>> {
  static constexpr bool kIs = true;
  using Message = T;
};

// What a method returns: a type and whether it comes as a stream.
template <class T>
struct Returned {
  static_assert(sizeof(T) == 0, "a described method returns Task<T> or AsyncStream<T>");
};
template <class T>
struct Returned<Task<T>> {
  using Result = T;
  static constexpr const TypeInfo* stream() { return nullptr; }
};
template <class T>
struct Returned<AsyncStream<T>> {
  using Result = void;
  static constexpr const TypeInfo* stream() { return info_of<T>(); }
};

// What a method takes: its ordinary parameters, or one stream.
template <class... A>
struct Taken {
  static_assert(
      ((StreamOf<A>::kIs ? 0 : 1) + ... + 0) == sizeof...(A),
      "a streaming request is the only parameter of its method, AsyncStream<T>: what comes "
      "before the stream goes into its first message or into the request's headers");
  static constexpr std::size_t kParameters = sizeof...(A);
  static constexpr const TypeInfo* stream() { return nullptr; }
};
template <class T>
struct Taken<AsyncStream<T>> {
  static constexpr std::size_t kParameters = 0;
  static constexpr const TypeInfo* stream() { return info_of<T>(); }
};

struct InvokerRelease {
  void operator()(Invoker* invoker) const noexcept { invoker->release(); }
};
using InvokerRef = std::unique_ptr<Invoker, InvokerRelease>;

SETTEE_API Error no_streams(const char* method);
SETTEE_API Error caller_gone(const char* method);

// The server's half.

template <class T>
Task<void> read_requests(ServerStreams& streams, StreamSink<T> sink) {
  for (;;) {
    T message{};
    Result<bool> more = co_await as_result(streams.next_message(std::addressof(message)));
    if (!more) {
      sink.close(more.error());
      co_return;
    }
    if (!*more) {
      sink.close();
      co_return;
    }
    Result<bool> wanted = co_await as_result(sink.write(std::move(message)));
    if (!wanted) sink.close(wanted.error());
    if (!wanted || !*wanted) co_return;
  }
}

template <class T>
Task<void> write_responses(const char* method, ServerStreams& streams, AsyncStream<T> stream) {
  for (;;) {
    // A writer that is always ahead never waits, and what does not wait sees no deadline.
    Result<void> in_time = context().check(method);
    if (!in_time) co_await fail(in_time.error());
    Result<std::optional<T>> next = co_await as_result(stream.next());
    if (!next) co_await fail(next.error());
    if (!*next) co_return;
    Result<bool> sent = co_await as_result(streams.send_message(std::addressof(**next)));
    if (!sent) co_await fail(sent.error());
    if (!*sent) co_await fail(caller_gone(method));
  }
}

// Calls the method; gives its result, or nothing when its stream has ended.
template <class Method, class S, class R, class... A>
Task<typename Returned<R>::Result> respond(void* service, ServerStreams& streams,
                                           std::tuple<A...>& arguments) {
  using Value = typename Returned<R>::Result;
  R begun = std::apply(
      [service](auto&... argument) {
        return (static_cast<S*>(service)->*Method::kPointer)(std::move(argument)...);
      },
      arguments);
  if constexpr (StreamOf<R>::kIs) {
    co_await write_responses(Method::kName, streams, std::move(begun));
  } else if constexpr (std::is_void_v<Value>) {
    co_await std::move(begun);
  } else {
    co_return co_await std::move(begun);
  }
}

// The same with the request's messages, which come meanwhile.
template <class Method, class S, class R, class T>
Task<typename Returned<R>::Result> respond_to_stream(void* service, ServerStreams& streams) {
  using Value = typename Returned<R>::Result;
  Loop* const loop = Loop::current();
  auto ends = make_stream<T>(kStreamQueue);
  std::tuple<AsyncStream<T>> arguments(std::move(ends.second));
  Beside reading(read_requests<T>(streams, std::move(ends.first)));
  Result<Value> result =
      co_await as_result(respond<Method, S, R, AsyncStream<T>>(service, streams, arguments));
  // The method may have gone to another thread; `streams` are of this one.
  if (loop != nullptr) co_await resume_on(*loop);
  co_await reading.stop();
  if (!result) co_await fail(result.error());
  if constexpr (!std::is_void_v<Value>) co_return *std::move(result);
}

template <class Method, class S, class R, class... A>
Task<void> serve_streaming(void* service, MethodFrame& frame) {
  using Value = typename Returned<R>::Result;
  using Only = std::tuple_element_t<0, std::tuple<A..., void>>;
  using Arguments = std::conditional_t<StreamOf<Only>::kIs, std::tuple<>, std::tuple<A...>>;
  Arguments arguments;
  {
    void* places[sizeof...(A) + 1] = {};
    std::apply(
        [&places](auto&... argument) {
          [[maybe_unused]] std::size_t i = 0;
          ((places[i++] = std::addressof(argument)), ...);
        },
        arguments);
    if (!frame.read_arguments(places)) co_return;
  }
  ServerStreams* const streams = frame.streams();
  if (streams == nullptr) co_await fail(no_streams(Method::kName));
  if (!frame.begin()) co_return;
  // What the method starts runs under this Context too, and ends with a call that ends badly.
  CancelSource during;
  const ContextSwitch inside(co_await this_promise(), during.context());
  Task<Value> task = [&] {
    if constexpr (StreamOf<Only>::kIs) {
      return respond_to_stream<Method, S, R, typename StreamOf<Only>::Message>(service, *streams);
    } else {
      return respond<Method, S, R, A...>(service, *streams, arguments);
    }
  }();
  Result<Value> result = co_await as_result(std::move(task));
  if (!result) {
    during.cancel();
    co_await fail(result.error());
  } else if constexpr (std::is_void_v<Value>) {
    frame.write_result(nullptr);
  } else {
    frame.write_result(std::addressof(*result));
  }
}

// The client's half.

// The messages that a caller sends; void: none but the arguments.
template <class T>
class Requests {
 public:
  explicit Requests(AsyncStream<T> stream) : stream_(std::move(stream)) {}
  Task<const void*> next() {
    Result<std::optional<T>> next = co_await as_result(stream_.next());
    if (!next) co_await fail(next.error());
    message_ = *std::move(next);
    const void* found = message_ ? std::addressof(*message_) : nullptr;
    co_return found;
  }

 private:
  AsyncStream<T> stream_;
  std::optional<T> message_;
};
template <>
class Requests<void> {
 public:
  Task<const void*> next() { co_return static_cast<const void*>(nullptr); }
};

// The messages that he gets; void: none but the result.
template <class T>
class Responses {
 public:
  explicit Responses(StreamSink<T> sink) : sink_(std::move(sink)) {}
  void* room() { return std::addressof(message_.emplace()); }
  Task<bool> give() { return sink_.write(*std::move(message_)); }
  void end(const Result<void>& done) {
    if (done) {
      sink_.close();
    } else {
      sink_.close(done.error());
    }
  }

 private:
  StreamSink<T> sink_;
  std::optional<T> message_;
};
template <>
class Responses<void> {
 public:
  void* room() { return nullptr; }
  Task<bool> give() { co_return false; }
};

template <class T, class R>
class CallStreams final : public ClientStreams {
 public:
  CallStreams(Requests<T>& requests, Responses<R>& responses)
      : requests_(requests), responses_(responses) {}
  Task<const void*> next_message() override { return requests_.next(); }
  void* room() override { return responses_.room(); }
  Task<bool> give_message() override { return responses_.give(); }

 private:
  Requests<T>& requests_;
  Responses<R>& responses_;
};

// Task<R> of a stream.
template <class R, class A>
R call_with_stream(const MethodInfo& method, InvokerRef invoker, A stream) {
  using Value = typename Returned<R>::Result;
  Requests<typename StreamOf<A>::Message> requests(std::move(stream));
  Responses<void> responses;
  CallStreams<typename StreamOf<A>::Message, void> streams(requests, responses);
  void* none[1] = {};
  if constexpr (std::is_void_v<Value>) {
    co_await invoker->invoke_stream(method, none, nullptr, streams);
  } else {
    Value result{};
    co_await invoker->invoke_stream(method, none, std::addressof(result), streams);
    co_return std::move(result);
  }
}

template <class R, class... A>
Task<void> invoke_for_stream(const MethodInfo& method, Invoker& invoker, Responses<R>& responses,
                             A... arguments) {
  if constexpr ((StreamOf<A>::kIs || ...)) {
    using T = typename StreamOf<A...>::Message;
    Requests<T> requests(std::move(arguments)...);
    CallStreams<T, R> streams(requests, responses);
    void* none[1] = {};
    co_await invoker.invoke_stream(method, none, nullptr, streams);
  } else {
    Requests<void> requests;
    CallStreams<void, R> streams(requests, responses);
    void* places[sizeof...(A) + 1] = {std::addressof(arguments)...};
    co_await invoker.invoke_stream(method, places, nullptr, streams);
  }
}

template <class R, class... A>
Detached run_for_stream(const MethodInfo& method, InvokerRef invoker, StreamSink<R> sink,
                        A... arguments) {
  Responses<R> responses(std::move(sink));
  Task<void> call =
      invoke_for_stream<R, A...>(method, *invoker, responses, std::move(arguments)...);
  Result<void> done = co_await as_result(std::move(call));
  responses.end(done);
}

// An AsyncStream<R> of arguments or a stream.
template <class R, class... A>
R call_for_stream(const MethodInfo& method, InvokerRef invoker, A... arguments) {
  using Message = typename StreamOf<R>::Message;
  auto ends = make_stream<Message>(kStreamQueue);
  auto source = std::make_shared<CancelSource>();
  const Context context = source->context();
  cancel_with_reader(ends.first, std::move(source));
  run_for_stream<Message, A...>(method, std::move(invoker), std::move(ends.first),
                                std::move(arguments)...)
      .start(context);
  return std::move(ends.second);
}

// Method tables and proxies.

struct DescribedService {
  static constexpr bool kIsStruct = false;
  static constexpr bool kIsException = false;
  static constexpr bool kIsEnum = false;
  static constexpr bool kIsService = true;
};

template <class Signature>
struct Choose {
  template <class S>
  static constexpr auto of(Signature S::*pointer) {
    return pointer;
  }
};
template <>
struct Choose<void> {
  template <class Pointer>
  static constexpr Pointer of(Pointer pointer) {
    return pointer;
  }
};

template <class Service>
struct ProxyRoot : Service {
  Invoker* settee_invoker_ = nullptr;
  ~ProxyRoot() override {
    if (settee_invoker_ != nullptr) settee_invoker_->release();
  }
};

template <class Service, class... Methods>
struct MethodList {
  static constexpr std::size_t kCount = sizeof...(Methods);

  // ProxyRoot, then one Override on top of another.
  template <class Base, class... Rest>
  struct Stack {
    using type = Base;
  };
  template <class Base, class First, class... Rest>
  struct Stack<Base, First, Rest...> {
    using type = typename Stack<
        typename First::template Override<Base, std::remove_cv_t<decltype(First::kPointer)>>,
        Rest...>::type;
  };
  using Proxy = typename Stack<ProxyRoot<Service>, Methods...>::type;

  template <class Method>
  static constexpr std::size_t index() {
    std::size_t found = 0;
    std::size_t i = 0;
    ((std::is_same_v<Method, Methods> ? found = i : 0, ++i), ...);
    return found;
  }

  static const std::array<MethodInfo, sizeof...(Methods)> table;
};

template <class T>
concept Owned = !std::is_reference_v<T> && !std::is_pointer_v<T> &&
                !std::is_same_v<T, std::string_view>;

/// "a, b" → {"a", "b"}
template <std::size_t N>
constexpr std::array<std::string_view, N> split_names(std::string_view text) {
  std::array<std::string_view, N> names{};
  for (std::size_t i = 0; i < N; ++i) {
    const std::size_t comma = text.find(',');
    names[i] = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  return names;
}

constexpr std::size_t count_names(std::string_view text) {
  if (text.empty()) return 0;
  std::size_t count = 1;
  for (const char c : text) count += c == ',';
  return count;
}

template <class Method, class Pointer>
struct MethodTraits;

template <class Method, class S, class R, class... A>
struct MethodTraits<Method, R (S::*)(A...)> {
  using Result = typename Returned<R>::Result;
  static constexpr std::size_t kParameters = Taken<A...>::kParameters;
  static constexpr bool kStreaming = StreamOf<R>::kIs || (StreamOf<A>::kIs || ...);
  static_assert((Owned<A> && ...),
                "a described method takes its arguments by value: a reference, pointer or view "
                "would outlive what it points to while the call is on its way");
  static_assert(count_names(Method::kParameterNames) == sizeof...(A),
                "SETTEE_SERVICE names each parameter of the method: (method, first, second)");
  static_assert(
      !kStreaming || !Method::kOptions.blocking_,
      "a streaming method waits for messages on its loop, so it cannot be blocking(): run "
      "the part that blocks with run_on(pool, ...)");

  static constexpr auto kNames = split_names<sizeof...(A)>(Method::kParameterNames);

  template <std::size_t... I>
  static constexpr std::array<ParameterInfo, kParameters> parameters(std::index_sequence<I...>) {
    return {ParameterInfo{kNames[I], info_of<std::tuple_element_t<I, std::tuple<A...>>>()}...};
  }
  static const std::array<ParameterInfo, Taken<A...>::kParameters> table;

  static Task<void> serve(void* service, MethodFrame& frame) {
    std::tuple<A...> arguments;
    {
      void* places[sizeof...(A) + 1] = {};
      std::apply(
          [&places](auto&... argument) {
            std::size_t i = 0;
            ((places[i++] = std::addressof(argument)), ...);
          },
          arguments);
      if (!frame.read_arguments(places)) co_return;
    }
    if constexpr (Method::kOptions.blocking_) {
      if (ThreadPool* pool = frame.pool()) {
        Result_<void> hop = co_await resume_on(*pool);
        if (!hop) {
          frame.refuse(hop.error());
          co_return;
        }
      }
    }
    if (!frame.begin()) co_return;
    Task<Result> task = std::apply(
        [service](auto&... argument) {
          return (static_cast<S*>(service)->*Method::kPointer)(std::move(argument)...);
        },
        arguments);
    Result_<Result> result = co_await as_result(std::move(task));
    if (!result) {
      co_await fail(result.error());
    } else if constexpr (std::is_void_v<Result>) {
      frame.write_result(nullptr);
    } else {
      frame.write_result(std::addressof(*result));
    }
  }

  static constexpr MethodInfo info() {
    MethodInfo info;
    info.name = Method::kName;
    info.wire_name = Method::kOptions.wire_name_.empty() ? std::string_view(Method::kName)
                                                         : Method::kOptions.wire_name_;
    info.parameters = {table.data(), table.size()};
    info.result = info_of<Result>();
    info.request_stream = Taken<A...>::stream();
    info.response_stream = Returned<R>::stream();
    info.blocking = Method::kOptions.blocking_;
    info.idempotent = Method::kOptions.idempotent_;
    info.route_verb = Method::kOptions.route_verb_;
    info.route_path = Method::kOptions.route_path_;
    if constexpr (kStreaming) {
      info.serve = &serve_streaming<Method, S, R, A...>;
    } else {
      info.serve = &serve;
    }
    return info;
  }

 private:
  template <class T>
  using Result_ = settee::Result<T>;
};

template <class Method, class S, class R, class... A>
constinit const std::array<ParameterInfo, Taken<A...>::kParameters>
    MethodTraits<Method, R (S::*)(A...)>::table =
        parameters(std::make_index_sequence<Taken<A...>::kParameters>());

template <class Service, class... Methods>
constinit const std::array<MethodInfo, sizeof...(Methods)> MethodList<Service, Methods...>::table = {
    MethodTraits<Methods, std::remove_cv_t<decltype(Methods::kPointer)>>::info()...};

template <class Service>
struct ServiceTable {
  using List = typename Describe<Service>::Methods;
  static const ServiceInfo info;
};
template <class Service>
constinit const ServiceInfo ServiceTable<Service>::info = {
    Describe<Service>::kName,
    {ServiceTable<Service>::List::table.data(), ServiceTable<Service>::List::kCount}};

template <class Service, class Method>
const MethodInfo& method_of() noexcept {
  using List = typename Describe<Service>::Methods;
  return List::table[List::template index<Method>()];
}

template <class R, class... A>
R call_coroutine(const MethodInfo& method, InvokerRef invoker, A... arguments) {
  using Value = typename Returned<R>::Result;
  void* places[sizeof...(A) + 1] = {std::addressof(arguments)...};
  const PromiseBase& self = co_await this_promise();
  const CallMode mode = self.mode;
  if constexpr (std::is_void_v<Value>) {
    Result<void> done =
        co_await as_result(invoker->invoke(method, places, nullptr, mode));
    if (!done) co_await fail(done.error());
  } else {
    Value result{};
    Result<void> done =
        co_await as_result(invoker->invoke(method, places, std::addressof(result), mode));
    if (!done) co_await fail(done.error());
    co_return std::move(result);
  }
}

template <class R, class... A>
R call(const MethodInfo& method, Invoker* invoker, A&&... arguments) {
  invoker->retain();
  if constexpr (StreamOf<R>::kIs) {
    return call_for_stream<R, std::decay_t<A>...>(method, InvokerRef(invoker),
                                                  std::forward<A>(arguments)...);
  } else if constexpr ((StreamOf<std::decay_t<A>>::kIs || ...)) {
    return call_with_stream<R, std::decay_t<A>...>(method, InvokerRef(invoker),
                                                   std::forward<A>(arguments)...);
  } else {
    return call_coroutine<R, std::decay_t<A>...>(method, InvokerRef(invoker),
                                                 std::forward<A>(arguments)...);
  }
}

}  // namespace detail

template <class Service>
constexpr const ServiceInfo& service_of() noexcept {
  return detail::ServiceTable<Service>::info;
}

template <class Service>
std::unique_ptr<Service> make_proxy(Invoker* invoker) {
  auto proxy = std::make_unique<typename Describe<Service>::Methods::Proxy>();
  proxy->settee_invoker_ = invoker;
  return proxy;
}

}  // namespace settee::inline v0
