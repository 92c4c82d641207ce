// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/mock.h"

#include <fmt/format.h>

#include "settee/rpc/internal/local_run.h"

namespace settee::inline v0::rpc {

namespace {

// The method of the mock's class that the call means; null: none, or it cannot be told.
const MethodInfo* method_for(const ServiceInfo& service, const Outgoing& outgoing) {
  std::vector<std::string> types(outgoing.types.begin(), outgoing.types.end());
  if (outgoing.method != nullptr) {
    types.clear();
    for (const ParameterInfo& parameter : outgoing.method->parameters) {
      types.push_back(java_name(*parameter.type));
    }
  }
  const MethodInfo* only = nullptr;
  std::size_t fitting = 0;
  for (const MethodInfo& method : service.methods) {
    if (&method == outgoing.method) return &method;
    if (method.wire_name != outgoing.name || method.parameters.size() != types.size()) continue;
    std::size_t same = 0;
    while (same < types.size() && java_name(*method.parameters[same].type) == types[same]) ++same;
    if (same == types.size()) return &method;
    only = &method;
    ++fitting;
  }
  return fitting == 1 ? only : nullptr;
}

}  // namespace

void Mock::check(std::string_view interface_name) const {
  if (service_.interface_name == interface_name) return;
  throw Error(Code::kInvalidArgument,
              fmt::format("ReferOptions::mock: it is a mock of {}, and the reference is to {}",
                          service_.interface_name, interface_name));
}

Task<void> mocked(Runtime& runtime, const Mock& mock, Outgoing outgoing) {
  const settee::detail::PromiseBase& self = co_await settee::detail::this_promise();
  const Context caller = Context::share(self.context);
  LocalWay way;
  way.hold = mock.shared_from_this();
  way.runtime = &runtime;
  way.method = method_for(mock.service(), outgoing);
  way.object = mock.object();
  way.service = mock.service().interface_name;
  way.peer = "mock";
  if (way.method == nullptr) {
    co_await fail(Error(Code::kMethodNotFound,
                        fmt::format("{}#{} at mock: its class has no method of that name and "
                                    "signature",
                                    way.service, outgoing.name)));
  }
  const Result<void> same = same_streams(outgoing, *way.method);
  if (!same) co_await fail(same.error().within(fmt::format("{} at mock", way.service)));
  way.direct = outgoing.method != nullptr && is_direct(*outgoing.method, *way.method);
  Loop& loop = runtime.loop();
  if (!loop.in_loop()) co_await resume_on(loop);
  // The time of a call that has failed may be over; the mock is there to give an answer all the same.
  LocalRun run(outgoing,
               mock.when() == MockWhen::kNoAnswer ? kNoDeadline : deadline_of(outgoing, caller));
  run.begin(std::move(way), caller);
  if (!run.ended()) {
    const auto reason = co_await run.wait();
    run.after_wait(reason);
    if (outgoing.streams != nullptr) co_await run.leave_streams();
  }
  if (const std::optional<Error>& error = run.finish(caller)) co_await fail(*error);
}

namespace detail {

std::shared_ptr<const Mock> make_mock(const ServiceInfo& service, std::shared_ptr<void> owner,
                                      void* object, MockWhen when) {
  if (object == nullptr) {
    throw Error(Code::kInvalidArgument,
                fmt::format("mock of {}: the object is null", service.interface_name));
  }
  return std::make_shared<const Mock>(service, std::move(owner), object, when);
}

}  // namespace detail
}  // namespace settee::inline v0::rpc
