// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client and a server of ours with a bad network between them: what the caller is told and when,
// that nobody else notices, that all is well again after it, and that nothing is left behind.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_gate.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using wire::eventually;
using wire::Fault;
using wire::NetworkGate;
using wire::Way;

struct Depot {
  virtual ~Depot() = default;
  virtual Task<std::string> ask(std::string text) = 0;    // idempotent
  virtual Task<std::string> order(std::string text) = 0;  // not
};

}  // namespace
}  // namespace settee::rpc

SETTEE_SERVICE(settee::rpc::Depot, "com.acme.Depot", (ask, text).idempotent(), (order, text))

namespace settee::rpc {
namespace {

class MyDepot final : public Depot {
 public:
  Task<std::string> ask(std::string text) override {
    ++calls;
    co_return text;
  }
  Task<std::string> order(std::string text) override {
    ++calls;
    co_return text;
  }
  std::atomic<int> calls{0};
};

struct Outcome {
  std::optional<Error> error;
  std::string answer;
  Duration took{};
  std::string words() const { return error ? error->what() : "answered: " + answer; }
};

constexpr milliseconds kTimeout = 1'000ms;
// A busy machine, and a sanitizer.
constexpr milliseconds kSlack = 2'000ms;

// Two servers; the first one is called through the gate. Everything of the client is in a Runtime of
// its own, so that its figures are its own.
class NetworkFaults : public testing::Test {
 protected:
  NetworkFaults() : server_runtime_(runtime_options()), client_runtime_(runtime_options()) {
    far_ = serve(far_depot_);
    near_ = serve(near_depot_);
    gate_ = std::make_unique<NetworkGate>(far_->port());
    client_ = std::make_unique<Client>(client_runtime_, client_options());
  }
  ~NetworkFaults() override { all_is_gone(); }

  RuntimeOptions runtime_options() {
    RuntimeOptions options;
    options.threads = 1;
    options.log = log_.keep();
    return options;
  }
  static ClientOptions client_options() {
    ClientOptions options;
    options.timeout = kTimeout;
    options.reconnect_first = 20ms;
    options.reconnect_most = 50ms;
    // Slower than a call's end, faster than a test's.
    options.heartbeat = 300ms;
    options.heartbeat_timeout = 600ms;
    options.heartbeat_misses = 2;
    return options;
  }
  std::unique_ptr<Server> serve(const std::shared_ptr<MyDepot>& depot) {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.drain = 100ms;
    options.idle_close = 2s;
    auto server = std::make_unique<Server>(server_runtime_, options);
    server->provide<Depot>(depot);
    server->start();
    return server;
  }
  Reference<Depot> far() { return client_->refer<Depot>(gate_->url()); }
  Reference<Depot> near() { return client_->refer<Depot>("bolt://" + near_->address()); }
  std::string both() const { return gate_->url() + "," + near_->address(); }

  static Outcome outcome(Task<std::string> task) {
    Outcome outcome;
    const TimePoint began = Clock::now();
    try {
      outcome.answer = std::move(task).get();
    } catch (const Error& error) {
      outcome.error = error;
    }
    outcome.took = Clock::now() - began;
    return outcome;
  }
  static std::int64_t stat(Runtime& runtime, std::string_view name, StatTags tags = {}) {
    const std::optional<StatValue> found = runtime.stats().find(name, std::move(tags));
    return found ? found->value : -1;
  }
  void expect_near_is_well() {
    for (int i = 0; i < 10; ++i) {
      const Outcome seen = outcome(near()->order("near"));
      EXPECT_EQ(seen.answer, "near") << seen.words();
      EXPECT_LT(seen.took, kTimeout);
    }
  }
  void expect_far_is_well_again() {
    Outcome seen;
    EXPECT_TRUE(eventually([&] {
      seen = outcome(far()->order("again"));
      return !seen.error;
    })) << seen.words();
    // And stays so.
    for (int i = 0; i < 10; ++i) EXPECT_EQ(outcome(far()->order("again")).answer, "again");
  }
  // No call and no connection is left at either end. The sanitizers see to the memory.
  void all_is_gone() {
    client_.reset();
    EXPECT_EQ(stat(client_runtime_, "settee.net.connections", {{"role", "client"}}), 0);
    gate_.reset();
    EXPECT_TRUE(eventually([&] {
      return stat(server_runtime_, "settee.rpc.server.in_flight") == 0 &&
             stat(server_runtime_, "settee.net.connections", {{"role", "server"}}) == 0;
    }));
  }

  wire::LogLines log_;
  const std::shared_ptr<MyDepot> far_depot_ = std::make_shared<MyDepot>();
  const std::shared_ptr<MyDepot> near_depot_ = std::make_shared<MyDepot>();
  Runtime server_runtime_;
  Runtime client_runtime_;
  std::unique_ptr<Server> far_;
  std::unique_ptr<Server> near_;
  std::unique_ptr<NetworkGate> gate_;
  std::unique_ptr<Client> client_;
};

// What one call sees of a fault. No code: its answer.
struct FaultCase {
  const char* name;
  Fault fault;
  std::vector<Code> codes;
  const char* words = "";  // of the message, which names the address too
  milliseconds least{0};   // how long the call takes at least
  std::size_t size = 10;   // of the argument, hence of the answer
  bool connected = true;   // before it begins
};

void PrintTo(const FaultCase& given, std::ostream* out) { *out << given.name; }

std::vector<FaultCase> fault_cases() {
  const std::vector<Code> lost{Code::kConnectionClosed};
  const std::vector<Code> late{Code::kTimeout};
  std::vector<FaultCase> cases;
  cases.push_back({"Refused", Fault::kRefused, {Code::kConnectFailed}, "refused"});
  cases.push_back({"RefusedFromTheStart", Fault::kRefused, {Code::kConnectFailed}, "refused"});
  cases.push_back({"Reset", Fault::kReset, lost, "before the answer came"});
  // It has never given a sign of life, so it has begun no call.
  cases.push_back(
      {"ResetFromTheStart", Fault::kReset, {Code::kConnectFailed, Code::kConnectionClosed}, ""});
  cases.push_back({"Silent", Fault::kSilent, late, "no answer before the deadline", kTimeout});
  cases.push_back(
      {"SilentFromTheStart", Fault::kSilent, late, "no answer before the deadline", kTimeout});
  cases.push_back({"Slow", {Fault::kSlow, 1, 200ms}, {}, "", 200ms});
  cases.push_back({"SlowFromTheStart", {Fault::kSlow, 1, 200ms}, {}, "", 400ms});
  cases.push_back({"TooSlow", {Fault::kSlow, 1, 10s}, late, "no answer before the", kTimeout});
  cases.push_back(
      {"AnswerCut", {Fault::kCut, 30, {}, Way::kToClient}, lost, "before the answer came"});
  cases.push_back(
      {"LongAnswerCut", {Fault::kCut, 100'000, {}, Way::kToClient}, lost, "", 0ms, 300'000});
  cases.push_back(
      {"RequestCut", {Fault::kCut, 30, {}, Way::kToServer}, lost, "before the answer came"});
  cases.push_back({"AnswerCorrupted",
                   {Fault::kCorrupted, 1, {}, Way::kToClient},
                   {Code::kProtocol, Code::kConnectionClosed},
                   ""});
  cases.push_back({"RequestCorrupted",
                   {Fault::kCorrupted, 1, {}, Way::kToServer},
                   lost,
                   "before the answer came"});
  cases.push_back({"Delayed", {Fault::kDelayed, 1, 100ms}, {}, "", 200ms});
  cases.push_back({"TooDelayed", {Fault::kDelayed, 1, 10s}, late, "no answer before", kTimeout});
  cases.push_back({"Bandwidth", {Fault::kBandwidth, 100'000}, {}, "", 150ms, 10'000});
  cases.push_back(
      {"TooLittleBandwidth", {Fault::kBandwidth, 1'000}, late, "no answer", kTimeout, 10'000});
  cases.push_back({"HalfOpen", Fault::kHalfOpen, late, "no answer before the deadline", kTimeout});
  cases.push_back({"Sliced", Fault::kSliced, {}, ""});
  cases.push_back({"SlicedFromTheStart", Fault::kSliced, {}, ""});
  for (FaultCase& one : cases) {
    one.connected = std::string_view(one.name).find("FromTheStart") == std::string_view::npos;
  }
  return cases;
}

class NetworkFaultCases : public NetworkFaults, public testing::WithParamInterface<FaultCase> {};

TEST_P(NetworkFaultCases, AreToldInTimeAndHurtNobodyElseAndPass) {
  const FaultCase& given = GetParam();
  if (given.connected) {
    EXPECT_EQ(outcome(far()->order("before")).answer, "before");
  }
  expect_near_is_well();
  gate_->set(given.fault);
  if (given.connected && given.fault.kind == Fault::kRefused) {
    // Until the client has seen the end of its connection a call may still go out on it, and is lost.
    ASSERT_TRUE(eventually([&] {
      return stat(client_runtime_, "settee.net.connections", {{"role", "client"}}) == 1;
    }));
  }

  const std::string text(given.size, 't');
  std::future<Outcome> calling =
      std::async(std::launch::async, [&] { return outcome(far()->order(text)); });
  expect_near_is_well();
  const Outcome seen = calling.get();
  EXPECT_GE(seen.took, given.least - 5ms);
  EXPECT_LT(seen.took, kTimeout + kSlack);
  if (given.codes.empty()) {
    EXPECT_FALSE(seen.error) << seen.words();
    EXPECT_EQ(seen.answer, text);
  } else {
    ASSERT_TRUE(seen.error);
    const std::string what = seen.error->what();
    EXPECT_NE(std::find(given.codes.begin(), given.codes.end(), seen.error->code()),
              given.codes.end())
        << what;
    EXPECT_NE(what.find("com.acme.Depot:1.0#order"), std::string::npos) << what;
    EXPECT_NE(what.find(gate_->address()), std::string::npos) << what;
    EXPECT_NE(what.find(given.words), std::string::npos) << what;
  }
  EXPECT_EQ(gate_->counts().changed > 0, given.fault.kind == Fault::kCorrupted);

  gate_->clear();
  expect_far_is_well_again();
}

INSTANTIATE_TEST_SUITE_P(All, NetworkFaultCases, testing::ValuesIn(fault_cases()),
                         [](const auto& info) { return info.param.name; });

// Whatever single bytes become: an answer may be wrong only where no frame can tell.
TEST_F(NetworkFaults, CorruptedHereAndThereCostsCallsAndConnectionsOnly) {
  for (const std::size_t every : {37u, 101u, 211u}) {
    for (const Way way : {Way::kToServer, Way::kToClient}) {
      gate_->set({Fault::kCorrupted, every, {}, way});
      const auto quick = far().with(CallOptions().timeout(200ms));
      for (int i = 0; i < 8; ++i) {
        const Outcome seen = outcome(quick->order("text"));
        EXPECT_LT(seen.took, 200ms + kSlack);
      }
      expect_near_is_well();
      gate_->clear();
      expect_far_is_well_again();
    }
  }
  EXPECT_GT(gate_->counts().changed, 10u);
}

TEST_F(NetworkFaults, ACutAnywhereInAFrameIsACleanEnd) {
  EXPECT_EQ(outcome(far()->order("before")).answer, "before");
  for (std::size_t at = 1; at < 60; at += 7) {
    for (const Way way : {Way::kToServer, Way::kToClient}) {
      gate_->set({Fault::kCut, at, {}, way});
      const Outcome seen = outcome(far()->order("text"));
      ASSERT_TRUE(seen.error) << at;
      EXPECT_TRUE(seen.error->code() == Code::kConnectionClosed ||
                  seen.error->code() == Code::kConnectFailed)
          << at << ": " << seen.words();
      EXPECT_LT(seen.took, kTimeout) << at << ": it waited for its deadline";
      gate_->clear();
      expect_far_is_well_again();
    }
  }
}

// What waits for a dead connection ends, even if a call has all the time in the world.
TEST_F(NetworkFaults, HeartbeatsFindAConnectionThatIsDeadWithoutAWord) {
  EXPECT_EQ(outcome(far()->order("before")).answer, "before");
  gate_->set(Fault::kHalfOpen);
  const Outcome seen = outcome(far().with(CallOptions().timeout(60s))->order("text"));
  ASSERT_TRUE(seen.error);
  EXPECT_EQ(seen.error->code(), Code::kConnectionClosed) << seen.words();
  EXPECT_LT(seen.took, 10s);
  const std::string what =
      std::string(seen.error->what()) + (seen.error->cause() ? seen.error->cause()->what() : "");
  EXPECT_NE(what.find("heartbeats unanswered"), std::string::npos) << what;
  EXPECT_GE(stat(client_runtime_, "settee.rpc.client.heartbeats_missed"), 2);
  // The gate is as it was: only that connection was dead.
  expect_far_is_well_again();
}

// A server cannot tell a client that is gone from one that has nothing to say, but for the time.
TEST_F(NetworkFaults, AServerClosesConnectionsThatAreDeadWithoutAWord) {
  EXPECT_EQ(outcome(far()->order("before")).answer, "before");
  const std::int64_t closed = stat(server_runtime_, "settee.rpc.server.idle_closed");
  gate_->set(Fault::kHalfOpen);
  EXPECT_TRUE(
      eventually([&] { return stat(server_runtime_, "settee.rpc.server.idle_closed") > closed; }));
  expect_far_is_well_again();
}

// Several addresses: callers of an idempotent method see nothing of any fault at one of them that
// shows itself.
TEST_F(NetworkFaults, IdempotentCallsGoElsewhere) {
  const auto depot =
      client_->refer<Depot>("bolt://" + both().substr(7) + "?loadBalancer=roundRobin");
  for (const Fault& fault :
       {Fault(Fault::kRefused), Fault(Fault::kReset), Fault(Fault::kCut, 30, {}, Way::kToClient),
        Fault(Fault::kCut, 30, {}, Way::kToServer), Fault(Fault::kCorrupted, 1, {}, Way::kToServer),
        Fault(Fault::kCorrupted, 1, {}, Way::kToClient), Fault(Fault::kSliced)}) {
    gate_->clear();
    const int before = far_depot_->calls;
    EXPECT_TRUE(eventually([&] {
      EXPECT_FALSE(outcome(depot->ask("x")).error);
      return far_depot_->calls > before + 2;
    }));
    gate_->set(fault);
    for (int i = 0; i < 10; ++i) {
      const Outcome seen = outcome(depot->ask("x"));
      EXPECT_FALSE(seen.error) << static_cast<int>(fault.kind) << ": " << seen.words();
    }
  }
}

// A fault that does not show itself costs a try its time, and no call more than its own.
TEST_F(NetworkFaults, CallsWithTimeForAnotherTryGoElsewhereWhenOneIsSilent) {
  ReferOptions options;
  options.balancer = "roundRobin";
  options.try_timeout = 100ms;
  for (const Fault& fault : {Fault(Fault::kSilent), Fault(Fault::kSlow, 1, 5s),
                             Fault(Fault::kDelayed, 1, 5s), Fault(Fault::kHalfOpen)}) {
    gate_->clear();
    // One for each fault: tries have a budget, which few calls do not fill again.
    Client client(client_runtime_, client_options());
    const auto depot = client.refer<Depot>("bolt://" + both().substr(7), options);
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(outcome(depot->ask("x")).error);
    gate_->set(fault);
    for (int i = 0; i < 4; ++i) {
      const Outcome seen = outcome(depot->ask("x"));
      EXPECT_FALSE(seen.error) << static_cast<int>(fault.kind) << ": " << seen.words();
      EXPECT_LT(seen.took, kTimeout);
    }
  }
}

TEST_F(NetworkFaults, ASlowLinkHoldsUpItsOwnCallsOnly) {
  EXPECT_EQ(outcome(far()->order("before")).answer, "before");
  gate_->set({Fault::kBandwidth, 200'000});
  const auto patient = far().with(CallOptions().timeout(30s));
  std::vector<std::future<std::string>> large;
  for (int i = 0; i < 8; ++i) {
    large.push_back(as_future(patient->order(std::string(10'000, static_cast<char>('a' + i)))));
  }
  expect_near_is_well();
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(large[static_cast<std::size_t>(i)].get(),
              std::string(10'000, static_cast<char>('a' + i)));
  }
}

// Many calls on their way when it happens: each ends, and each once.
TEST_F(NetworkFaults, AllCallsOnTheirWayEnd) {
  for (const Fault& fault : {Fault(Fault::kRefused), Fault(Fault::kReset), Fault(Fault::kSilent),
                             Fault(Fault::kCut, 5'000, {}, Way::kToClient), Fault(Fault::kHalfOpen),
                             Fault(Fault::kCorrupted, 997, {}, Way::kToClient)}) {
    expect_far_is_well_again();
    std::vector<std::future<std::string>> calls;
    const auto depot = far();
    for (int i = 0; i < 200; ++i) {
      calls.push_back(as_future(depot->order(std::to_string(i))));
      if (i == 100) gate_->set(fault);
    }
    const TimePoint until = Clock::now() + kTimeout + kSlack;
    for (std::future<std::string>& call : calls) {
      ASSERT_EQ(call.wait_until(until), std::future_status::ready)
          << static_cast<int>(fault.kind) << ": a call hangs";
    }
    gate_->clear();
  }
}

}  // namespace
}  // namespace settee::rpc
