// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A C++ client and a server behind a bad network. What a server of ours does then is tested in
// settee/rpc/network_faults_test.cc; here it is one that others have written.

#include <algorithm>

#include "interop/tests/foreign_server.h"
#include "settee/rpc/rpc_test_gate.h"

namespace interop {
namespace {

using settee::Code;
using settee::Error;
using settee::rpc::CallOptions;
using settee::rpc::Client;
using wire::Fault;
using wire::NetworkGate;
using wire::Way;

struct FaultCase {
  const char* name;
  Fault fault;
  std::vector<Code> codes;  // empty: an answer
};

std::vector<FaultCase> fault_cases() {
  const std::vector<Code> lost{Code::kConnectionClosed};
  std::vector<FaultCase> cases;
  cases.push_back({"refused", Fault::kRefused, {Code::kConnectFailed}});
  cases.push_back({"reset", Fault::kReset, lost});
  cases.push_back({"silent", Fault::kSilent, {Code::kTimeout}});
  cases.push_back({"slow", {Fault::kSlow, 1, 100ms}, {}});
  cases.push_back({"answer cut", {Fault::kCut, 30, {}, Way::kToClient}, lost});
  cases.push_back({"request cut", {Fault::kCut, 30, {}, Way::kToServer}, {}});
  cases.push_back({"answer corrupted",
                   {Fault::kCorrupted, 1, {}, Way::kToClient},
                   {Code::kProtocol, Code::kConnectionClosed}});
  cases.push_back({"request corrupted", {Fault::kCorrupted, 1, {}, Way::kToServer}, {}});
  cases.push_back({"delayed", {Fault::kDelayed, 1, 50ms}, {}});
  cases.push_back({"bandwidth", {Fault::kBandwidth, 20'000}, {}});
  cases.push_back({"half-open", Fault::kHalfOpen, {Code::kTimeout}});
  cases.push_back({"sliced", Fault::kSliced, {}});
  // What these do to a request only the server knows: it may end the connection or say nothing.
  for (FaultCase& one : cases) {
    if (one.fault.way == Way::kToServer) one.codes = {Code::kConnectionClosed, Code::kTimeout};
  }
  return cases;
}

class BadNetwork : public ServerTest {
 protected:
  static settee::rpc::ClientOptions quick_options() {
    settee::rpc::ClientOptions options = client_options();
    options.timeout = 20s;
    options.reconnect_first = 20ms;
    options.reconnect_most = 100ms;
    options.heartbeat = 300ms;
    options.heartbeat_timeout = 1s;
    options.heartbeat_misses = 2;
    return options;
  }
  // Within a while; connections that the fault has hurt may have to be found out first.
  static void expect_well(const settee::rpc::Reference<TypeService>& types) {
    const auto quick = types.with(CallOptions().timeout(2s));
    std::string answer;
    for (const auto until = settee::Clock::now() + 20s;
         answer.empty() && settee::Clock::now() < until;) {
      try {
        answer = quick->echoString("again").get().value_or("null");
      } catch (const Error&) {
        std::this_thread::sleep_for(10ms);
      }
    }
    EXPECT_EQ(answer, "again");
  }

  NetworkGate gate_{static_cast<std::uint16_t>(shared_server(GetParam()).port())};
  settee::Runtime gated_runtime_{{.threads = 1}};
  Client gated_client_{gated_runtime_, quick_options()};
};

TEST_P(BadNetwork, EndsCallsInTimeAndPasses) {
  const auto far = gated_client_.refer<TypeService>(gate_.url());
  const auto near = types();
  for (const FaultCase& given : fault_cases()) {
    SCOPED_TRACE(given.name);
    EXPECT_EQ(far->echoString("before").get(), "before");
    gate_.set(given.fault);
    const auto began = settee::Clock::now();
    const auto timeout = given.codes.empty() ? 20s : 1s;
    std::optional<Error> error;
    try {
      EXPECT_EQ(far.with(CallOptions().timeout(timeout))->echoString("text").get(), "text");
    } catch (const Error& thrown) {
      error = thrown;
    }
    EXPECT_LT(settee::Clock::now() - began, timeout + 2s);
    EXPECT_EQ(error.has_value(), !given.codes.empty()) << (error ? error->what() : "answered");
    if (error) {
      EXPECT_NE(std::find(given.codes.begin(), given.codes.end(), error->code()), given.codes.end())
          << error->what();
      EXPECT_NE(std::string(error->what()).find(gate_.address()), std::string::npos)
          << error->what();
    }
    // The server itself is well, whatever it was sent.
    EXPECT_EQ(near->echoString("near").get(), "near");
    gate_.clear();
    expect_well(far);
  }
}

// Frames of any size, each byte of them by itself, in both directions.
TEST_P(BadNetwork, FramesInSlicesAreWhole) {
  gate_.set(Fault::kSliced);
  const auto far = gated_client_.refer<TypeService>(gate_.url());
  std::vector<std::future<Text>> calls;
  for (int i = 0; i < 10; ++i) {
    calls.push_back(
        settee::as_future(far->echoString(std::string(static_cast<std::size_t>(i) * 40, 's'))));
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].get(),
              std::string(static_cast<std::size_t>(i) * 40, 's'));
  }
}

// Where every so-many-th byte is wrong, no server of ours or theirs may stop serving.
TEST_P(BadNetwork, CorruptedRequestsHurtNobodyElse) {
  const auto far = gated_client_.refer<TypeService>(gate_.url());
  const auto near = types();
  for (const std::size_t every : {19U, 43U, 101U, 211U}) {
    gate_.clear();
    expect_well(far);
    gate_.set({Fault::kCorrupted, every, {}, Way::kToServer});
    for (int i = 0; i < 5; ++i) {
      try {
        far.with(CallOptions().timeout(300ms))->echoString("text").get();
      } catch (const Error&) {
        // Whatever it says: it has ended.
      }
    }
    EXPECT_EQ(near->echoString("near").get(), "near") << every;
  }
  EXPECT_GT(gate_.counts().changed, 10U);
}

INTEROP_INSTANTIATE_HESSIAN3(BadNetwork);

}  // namespace
}  // namespace interop
