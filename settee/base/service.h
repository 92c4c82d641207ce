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

#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <tuple>

#include "settee/base/reflect.h"
#include "settee/base/runtime.h"
#include "settee/base/task.h"

namespace settee::inline v0 {

struct ParameterInfo {
  std::string_view name;
  const TypeInfo* type;
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
  /// Takes the result (null for void) to be sent.
  virtual void write_result(const void* result) = 0;

 protected:
  ~MethodFrame() = default;
};

struct MethodInfo : detail::CallTag {
  std::string_view wire_name;  ///< The name that travels: the C++ name unless options say otherwise.
  std::span<const ParameterInfo> parameters;
  const TypeInfo* result;
  bool blocking = false;    ///< Runs on a pool, as it blocks its thread.
  bool idempotent = false;  ///< May be tried again after it may have run.
  /// Runs the method of `service` (the described class) for the call `frame`.
  Task<void> (*serve)(void* service, MethodFrame& frame) = nullptr;
};

struct ServiceInfo {
  std::string_view interface_name;
  std::span<const MethodInfo> methods;
};

/// The client's half: what a proxy calls. Counted, since calls in flight keep it.
class SETTEE_API Invoker : public ContextItem {
 public:
  /// Makes the call and fills `result` (null for void).
  virtual Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                            detail::CallMode mode) = 0;
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
  /// Which of several overloads is meant, e.g. overload<Task<int>(std::string)>().
  template <class S>
  constexpr MethodOptions<S> overload() const {
    return {wire_name_, blocking_, idempotent_};
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
