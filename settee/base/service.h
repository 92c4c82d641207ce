// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Describing services: an abstract class and one line behind it, at global scope. The same line gives
// the server its method table and the client a proxy that really overrides the class.
//
//   struct Quotes {
//     virtual ~Quotes() = default;
//     virtual Task<Quote> latest(std::string symbol) = 0;
//     virtual Task<void> load(std::string file) = 0;
//   };
//   SETTEE_SERVICE(Quotes, "com.acme.Quotes", (latest, symbol), (load, file).blocking())
//
// The string is the Java interface name. Each method is (name, parameter names...), which JSON and
// OpenAPI use, and may be followed by members of MethodOptions. Methods take their arguments by value
// and return Task<T>. An overload is chosen by its signature and needs a wire name of its own when
// the codec cannot tell overloads apart: (latest, symbol, n).overload<Task<Quote>(std::string, int)>().
//
// A streaming method has streams in their places; it needs a protocol that carries them (gRPC does):
//
//   virtual AsyncStream<Quote> watch(std::string symbol) = 0;           // many answers
//   virtual Task<std::int64_t> upload(AsyncStream<Quote> quotes) = 0;   // many requests
//   virtual AsyncStream<Quote> chat(AsyncStream<Quote> quotes) = 0;     // both, at their own paces
//
// A caller's watch() or chat() begins its call at once, under the Context of that moment; it ends when
// the stream has ended or is dropped, which cancels it. upload() is a Task like any other. On the
// server a streaming method must not block, and its Context is cancelled when its call fails or its
// caller goes. What it started may outlive the call by a little: it must own what it uses.

#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <tuple>

#include "settee/base/reflect.h"
#include "settee/base/runtime.h"
#include "settee/base/stream.h"
#include "settee/base/task.h"

namespace settee::inline v0 {

struct ParameterInfo {
  std::string_view name;
  const TypeInfo* type;
};

/// The streams of one call, as the server's protocol carries them. Both members are called on the
/// thread where serve() was begun, each again only when its Task has ended, but one beside the other.
/// Both must heed their Context: it is cancelled when the call ends before the caller's messages do,
/// and the call waits for a Task that goes on.
class ServerStreams {
 public:
  /// Waits for the next request message and reads it into `message`, a fresh object of
  /// *MethodInfo::request_stream. False: the caller has ended his stream. Ends with an Error if he has
  /// gone or what he sent cannot be read.
  virtual Task<bool> next_message(void* message) = 0;
  /// Sends an object of *MethodInfo::response_stream and waits while there is no room for more. False:
  /// the caller has gone. Ends with an Error if it cannot be written.
  virtual Task<bool> send_message(const void* message) = 0;

 protected:
  ~ServerStreams() = default;
};

/// The server's half of one call of a described method, whatever the protocol and codec.
class MethodFrame {
 public:
  /// Reads the arguments into the objects of the parameters' types. False: the call ends here.
  virtual bool read_arguments(void* const* arguments) = 0;
  /// The pool on which a blocking method is to run; null: it runs where it is.
  virtual ThreadPool* pool() = 0;
  /// The pool is full.
  virtual void refuse(const Error& error) = 0;
  /// Called when the method is about to run. False: its caller has given up, so it is not begun.
  virtual bool begin() = 0;
  /// Takes the result (null for void) to be sent. Of a response's stream (with null) it is the good
  /// end; no member of ServerStreams is called afterwards.
  virtual void write_result(const void* result) = 0;
  /// Where streaming methods find their streams. Null: the protocol carries none, they end with an
  /// Error (kMisuse) before they begin.
  virtual ServerStreams* streams() { return nullptr; }

 protected:
  ~MethodFrame() = default;
};

struct MethodInfo : detail::CallTag {
  std::string_view wire_name;  ///< The name that travels: the C++ name unless options say otherwise.
  std::span<const ParameterInfo> parameters;  ///< Without a stream.
  const TypeInfo* result;                     ///< kVoid if the response is a stream.
  const TypeInfo* request_stream = nullptr;   ///< The type of the request's messages; null: unary.
  const TypeInfo* response_stream = nullptr;  ///< The type of the response's messages; null: unary.
  bool blocking = false;    ///< Runs on a pool, as it blocks its thread.
  bool idempotent = false;  ///< May be tried again after it may have run.
  std::string_view route_verb;  ///< Of its own HTTP route, "GET"; empty: it has none.
  std::string_view route_path;  ///< "/quotes/{symbol}"
  /// Runs the method of `service` (the described class) for the call `frame`.
  Task<void> (*serve)(void* service, MethodFrame& frame) = nullptr;

  constexpr bool streaming() const noexcept {
    return request_stream != nullptr || response_stream != nullptr;
  }
};

struct ServiceInfo {
  std::string_view interface_name;
  std::span<const MethodInfo> methods;
};

/// The streams of one call, as the caller has them: its protocol takes from one and gives to the other.
/// The objects are the call's own. Each member is called again only when its Task has ended, but those
/// of one direction beside those of the other; all on one thread.
class ClientStreams {
 public:
  /// Waits for the next message to send, of *MethodInfo::request_stream, there until the next call of
  /// this. Null: it was the last one. Ends with the caller's Error if he ends his stream with one: the
  /// call is then to be cancelled.
  virtual Task<const void*> next_message() = 0;
  /// A fresh object of *MethodInfo::response_stream, to read a message into. Its own until
  /// give_message().
  virtual void* room() = 0;
  /// Gives the message in room() to the reader and waits while he is behind. False: he has gone, and
  /// the Context is cancelled.
  virtual Task<bool> give_message() = 0;

 protected:
  ~ClientStreams() = default;
};

/// The client's half: what a proxy calls. Counted, since calls in flight keep it.
class SETTEE_API Invoker : public ContextItem {
 public:
  /// Makes the call and fills `result` (null for void).
  virtual Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                            detail::CallMode mode) = 0;
  /// Makes a streaming call; ends when it has ended, well or with its Error. The caller's messages come
  /// from and go to `streams`; `arguments` are there if the request is no stream, and `result` is filled
  /// (null for void) if the response is none. What has not been taken from `streams` by the end is
  /// dropped. This one knows no protocol that carries streams: it ends with an Error (kMisuse).
  virtual Task<void> invoke_stream(const MethodInfo& method, void* const* arguments, void* result,
                                   ClientStreams& streams);
};

/// The description of a described service.
template <class Service>
constexpr const ServiceInfo& service_of() noexcept;

/// An object that overrides every method of the described class by a call through `invoker`, of which it
/// takes over one ownership.
template <class Service>
std::unique_ptr<Service> make_proxy(Invoker* invoker);

/// What may follow a method in SETTEE_SERVICE.
template <class Signature = void>
struct MethodOptions {
  using Chosen = Signature;
  std::string_view wire_name_ = {};
  bool blocking_ = false;
  bool idempotent_ = false;
  std::string_view route_verb_ = {};
  std::string_view route_path_ = {};

  /// The method blocks its thread: it runs on a pool.
  constexpr MethodOptions blocking() const {
    MethodOptions options = *this;
    options.blocking_ = true;
    return options;
  }
  /// A second run does no harm: a client may try again.
  constexpr MethodOptions idempotent() const {
    MethodOptions options = *this;
    options.idempotent_ = true;
    return options;
  }
  /// The Java method's name, where it differs from the C++ one.
  constexpr MethodOptions wire_name(std::string_view name) const {
    MethodOptions options = *this;
    options.wire_name_ = name;
    return options;
  }
  /// Plain HTTP reaches the method under a path of its own too: route("GET", "/quotes/{symbol}"). The
  /// verb is GET, POST, PUT, PATCH or DELETE; a segment in braces is the parameter of that name.
  constexpr MethodOptions route(std::string_view verb, std::string_view path) const {
    MethodOptions options = *this;
    options.route_verb_ = verb;
    options.route_path_ = path;
    return options;
  }
  /// Which of several overloads is meant, e.g. overload<Task<int>(std::string)>().
  template <class S>
  constexpr MethodOptions<S> overload() const {
    return {wire_name_, blocking_, idempotent_, route_verb_, route_path_};
  }
};

}  // namespace settee::inline v0

#include "settee/base/detail/service_inl.h"

#define SETTEE_DETAIL_METHOD(Service, Method, item) \
  SETTEE_DETAIL_METHOD1(Service, Method, (SETTEE_DETAIL_TAIL(item)), SETTEE_DETAIL_HEAD(item))
#define SETTEE_DETAIL_METHOD1(Service, Method, tail, ...) \
  SETTEE_DETAIL_METHOD2(Service, Method, tail, __VA_ARGS__)
#define SETTEE_DETAIL_METHOD2(Service, Method, tail, method, ...)                            \
  struct Method {                                                                            \
    static constexpr const char* kName = #method;                                            \
    static constexpr std::string_view kParameterNames = #__VA_ARGS__;                        \
    static constexpr auto kOptions = settee::MethodOptions<>() SETTEE_DETAIL_UNWRAP tail;    \
    static constexpr auto kPointer =                                                         \
        settee::detail::Choose<decltype(kOptions)::Chosen>::of(&Service::method);            \
    template <class Base, class Pointer>                                                     \
    struct Override;                                                                         \
    template <class Base, class S, class R, class... A>                                      \
    struct Override<Base, R (S::*)(A...)> : Base {                                           \
      using Base::method; /* other overloads of the name stay in view */                     \
      R method(A... arguments) override {                                                    \
        return settee::detail::call<R>(settee::detail::method_of<Service, Method>(),         \
                                       this->settee_invoker_, std::move(arguments)...);      \
      }                                                                                      \
    };                                                                                       \
  };

#define SETTEE_DETAIL_METHOD_TYPE(Service, Method, item) , Method

#define SETTEE_SERVICE(Service, java_interface, ...)                                            \
  template <>                                                                                   \
  struct settee::Describe<Service> : settee::detail::DescribedService {                         \
    static constexpr std::string_view kName = java_interface;                                   \
    SETTEE_DETAIL_FOR_EACH_NAMED(SETTEE_DETAIL_METHOD, Service, __VA_ARGS__)                    \
    using Methods = settee::detail::MethodList<Service SETTEE_DETAIL_FOR_EACH_NAMED(            \
        SETTEE_DETAIL_METHOD_TYPE, Service, __VA_ARGS__)>;                                      \
  };
