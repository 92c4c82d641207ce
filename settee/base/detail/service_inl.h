// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How method tables and proxies are made from SETTEE_SERVICE. Included by service.h.

#pragma once

#include <array>

#include "settee/base/detail/stream_calls.h"
#include "settee/base/service.h"

namespace settee::inline v0 {
namespace detail {

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
