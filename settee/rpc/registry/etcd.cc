// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// etcd v3, in the layout of docs/guide.md#registries, which is ZooKeeper's with keys in place of nodes:
//
//   <root>sofa-rpc/<interface>/providers/<URL-encoded url>    value "1": online, "0": offline
//   <root>sofa-rpc/<interface>/consumers/<URL-encoded url>    value empty
//
// The nodes are keys, and the session is a lease that all keys of a registry object have, so they
// go with their process. The keeper's thread wants certain keys and lists to be there, and step()
// makes the server's state fit: what failed, or went with a lease, is wanted again. A list is read
// once and then watched from the revision behind it; when the watch ends, for whatever reason (a
// lost connection, a compaction), it is read again. A watch whose server has been cut off does not
// end: so it is also read again when another server answers our calls, and when the watch has long
// brought nothing.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "settee/rpc/registry/internal/etcd_gateway.h"
#include "settee/rpc/registry/internal/node_keeper.h"

namespace settee::inline v0::rpc::registry {

namespace {

using etcd::base64;
using etcd::from_base64;
using etcd::Gateway;
using etcd::number;
using std::chrono::milliseconds;

// The longest pause before a lost connection is tried again.
constexpr milliseconds kReconnectPause{1'000};
// A watch that has stood so long is not one of those that end at once.
constexpr milliseconds kSteady{3'000};
// How long a call may take, at most.
constexpr milliseconds kCallTime{2'000};
// Of etcd's --max-txn-ops (128).
constexpr std::size_t kBatch = 100;

constexpr std::string_view kOnline = "1";
constexpr std::string_view kOffline = "0";

// The first key behind all that begin so.
std::string behind(std::string prefix) {
  ++prefix.back();
  return prefix;
}

struct Service : ListedService {
  std::map<std::string, ListedNode> children;  // by their keys
  std::shared_ptr<etcd::Watching> watching;    // null: is to be listed
  TimePoint heard_at{};                        // when it began or last brought a change
  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() { stop_watching(); }
  void stop_watching() {
    if (watching) watching->cancel();
    watching.reset();
  }
};

class EtcdKeeper final : public ServiceKeeper<Service> {
 public:
  EtcdKeeper(Runtime& runtime, std::string url, RegistryAddress servers,
             const RegistryOptions& options)
      : ServiceKeeper(runtime, std::move(url), servers.root, options),
        hosts_(servers.hosts()),
        ttl_(std::max<std::int64_t>(
            1, (options.session_timeout + milliseconds(999)) / std::chrono::seconds(1))),
        quiet_(3 * std::chrono::seconds(ttl_)),
        gateway_(std::make_unique<Gateway>(
            runtime, std::move(servers), options.auth,
            std::clamp(options.session_timeout / 3, milliseconds(200), kCallTime))) {
    trying("connecting to " + hosts_);
  }

 private:
  std::string_view data_of(bool online) const override { return online ? kOnline : kOffline; }

  TimePoint step() override {
    if (Clock::now() < retry_at_) return retry_at_;
    const std::optional<TimePoint> next = work();
    if (!next) return retry_at_;
    return *next;
  }

  /// A call. Not ok for want of a connection: everything waits for retry_at_.
  Gateway::Answer call(std::string_view path, const std::string& json) {
    Gateway::Answer answer = gateway_->call(path, json);
    if (answer.failure == Gateway::Failure::kConnection) {
      lost(answer.why);
    } else if (!std::exchange(connected_, true)) {
      pause_ = kFirstPause;
      trouble({});
      connected();
      log(LogLevel::kInfo, fmt::format("{}: connected", address()));
    }
    if (server_ != gateway_->server()) {
      // The one that has the watches may be cut off, and then they say nothing and do not end.
      server_ = gateway_->server();
      stop_watching();
    }
    return answer;
  }

  void lost(const std::string& why) {
    beat_at_ = {};  // whether the lease has outlasted it is the first thing to be asked
    if (std::exchange(connected_, false)) trying("connecting to " + hosts_, "connection lost");
    failing(why);
    trouble("not connected: " + why);
    retry_at_ = Clock::now() + pause_;
    pause_ = std::min(pause_ * 2, kReconnectPause);
    // A server that hangs ends no watch; and one that has lost its data counts anew.
    stop_watching();
  }

  void stop_watching() {
    for (auto& [path, service] : services_) service.stop_watching();
  }

  /// What there is to do; when to be called again, or nothing without a connection.
  std::optional<TimePoint> work() {
    TimePoint next = kNoDeadline;
    if (!answer_asked()) return std::nullopt;
    if (!nodes_.empty()) {
      const std::optional<TimePoint> beat = keep_lease();
      if (!beat) return std::nullopt;
      next = std::min(next, *beat);
      const std::optional<TimePoint> again = put_and_remove();
      if (!again) return std::nullopt;
      next = std::min(next, *again);
    }
    for (auto& [path, service] : services_) {
      const std::string prefix = path + "/";
      if (!service.watching && Clock::now() >= service.not_before && !list(prefix, service)) {
        return std::nullopt;
      }
      if (service.watching) follow(prefix, service);
    }
    for (const auto& [path, service] : services_) next = std::min(next, due(service));
    return next;
  }

  bool answer(const Asked& asked) override {
    const Gateway::Answer found =
        call("kv/range", fmt::format(R"({{"key":"{}","range_end":"{}","keys_only":true}})",
                                     base64(base_), base64(behind(base_))));
    if (found.failure == Gateway::Failure::kConnection) return false;
    if (!found.ok()) {
      asked.second->settle(
          Error(Code::kPeerError, fmt::format("{}: {}", asked.second->what(), found.why)));
      return true;
    }
    std::set<std::string> names;
    for (const hessian::Value& one : found.value["kvs"].items()) {
      const std::string key = key_of(one);
      const std::size_t end = key.find("/providers/", base_.size());
      if (end != std::string::npos) names.insert(key.substr(base_.size(), end - base_.size()));
    }
    asked.first->assign(names.begin(), names.end());
    asked.second->settle();
    return true;
  }

  static std::string key_of(const hessian::Value& kv) {
    const hessian::Value& key = kv["key"];
    const Result<std::string_view> text = key.as_string();
    return text ? from_base64(*text).value_or("") : "";
  }

  // The lease

  std::optional<TimePoint> keep_lease() {
    const TimePoint now = Clock::now();
    if (now < beat_at_) return beat_at_;
    if (lease_ == 0) {
      const Gateway::Answer made = call("lease/grant", fmt::format(R"({{"TTL":"{}"}})", ttl_));
      if (made.failure == Gateway::Failure::kConnection) return std::nullopt;
      lease_ = number(made.value["ID"]);
      if (!made.ok() || lease_ == 0) {
        trouble(fmt::format("granting a lease: {}", made.why));
        return back_off(kLongestPause);
      }
      // The server may give it longer than asked for.
      const std::int64_t given = std::max<std::int64_t>(number(made.value["TTL"]), 1);
      beat_ = Duration(std::chrono::seconds(given)) / 3;
      beat_at_ = now + beat_;
      lease_pause_ = kFirstPause;
      trouble({});
      log(LogLevel::kInfo,
          fmt::format("{}: lease {:x}, which ends {} s after the last sign of this process",
                      address(), static_cast<std::uint64_t>(lease_), given));
      return beat_at_;
    }
    const Gateway::Answer kept = call("lease/keepalive", fmt::format(R"({{"ID":"{}"}})", lease_));
    if (kept.failure == Gateway::Failure::kConnection) return std::nullopt;
    if (kept.ok() && number(kept.value["result"]["TTL"]) > 0) {
      beat_at_ = now + beat_;
      if (std::exchange(lease_pause_, kFirstPause) != kFirstPause) trouble({});
      if (!look_after_keys()) return std::nullopt;
      return beat_at_;
    }
    if (!kept.ok() && kept.failure != Gateway::Failure::kLease) {
      trouble(fmt::format("keeping the lease: {}", kept.why));
      // The lease has but two beats left.
      return back_off(std::chrono::duration_cast<milliseconds>(beat_) / 4);
    }
    lose_lease();
    return keep_lease();
  }

  TimePoint back_off(milliseconds most) {
    beat_at_ = Clock::now() + std::min(lease_pause_, most);
    lease_pause_ = std::min(lease_pause_ * 2, kLongestPause);
    return beat_at_;
  }

  void lose_lease() {
    log(LogLevel::kWarning,
        fmt::format("{}: lease {:x} has expired; it registers again in a new one", address(),
                    static_cast<std::uint64_t>(lease_)));
    lease_ = 0;
    lose_nodes();
    for (auto& [path, node] : nodes_) {
      node.state = Node::kAbsent;  // kRefused too: what was in the way may have passed
      node.pause = kFirstPause;
    }
  }

  /// Whether the lease still has all that we have put. False: there is no connection.
  bool look_after_keys() {
    const Gateway::Answer found =
        call("lease/timetolive", fmt::format(R"({{"ID":"{}","keys":true}})", lease_));
    if (found.failure == Gateway::Failure::kConnection) return false;
    if (!found.ok()) return true;  // the next beat tells
    std::set<std::string> there;
    for (const hessian::Value& key : found.value["keys"].items()) {
      const Result<std::string_view> text = key.as_string();
      if (text) there.insert(from_base64(*text).value_or(""));
    }
    for (auto& [path, node] : nodes_) {
      if (node.state != Node::kPresent || there.contains(path)) continue;
      log(LogLevel::kWarning,
          fmt::format("{}: somebody has deleted {}, or put another in its place; it is put again "
                      "when there is none",
                      address(), path));
      node.state = Node::kAbsent;
      node.take_over = false;
      node.not_before = Clock::now() + kDeletedPause;
    }
    return true;
  }

  // Keys

  std::optional<TimePoint> put_and_remove() {
    TimePoint next = kNoDeadline;
    if (lease_ == 0) return next;
    std::vector<std::string> due;
    for (const auto& [path, node] : nodes_) {
      if (node.state != Node::kAbsent && node.state != Node::kLeaving) continue;
      if (Clock::now() >= node.not_before) {
        due.push_back(path);
      } else {
        next = std::min(next, node.not_before);
      }
    }
    // Those that nothing hinders go together.
    std::vector<std::string> batch;
    for (const std::string& path : due) {
      const auto place = nodes_.find(path);
      if (place == nodes_.end()) continue;  // what was done to another has taken it away
      const Node& node = place->second;
      if (node.state == Node::kAbsent && node.take_over) {
        batch.push_back(path);
        if (batch.size() == kBatch && !put(std::exchange(batch, {}))) return std::nullopt;
      } else if (!put_or_remove(path)) {
        return std::nullopt;
      }
    }
    if (!batch.empty() && !put(batch)) return std::nullopt;
    for (const auto& [path, node] : nodes_) {
      if (node.state == Node::kAbsent || node.state == Node::kLeaving) {
        next = std::min(next, node.not_before);
      }
    }
    return next;
  }

  std::string put_request(const std::string& path, const Node& node) const {
    return fmt::format(R"({{"requestPut":{{"key":"{}","value":"{}","lease":"{}"}}}})", base64(path),
                       base64(node.data), lease_);
  }

  /// False: there is no connection.
  bool put(const std::vector<std::string>& paths) {
    std::string requests;
    for (const std::string& path : paths) {
      Node& node = nodes_.at(path);
      node.tried = true;
      requests += (requests.empty() ? "" : ",") + put_request(path, node);
    }
    const Gateway::Answer done = call("kv/txn", fmt::format(R"({{"success":[{}]}})", requests));
    if (done.failure == Gateway::Failure::kConnection) return false;
    for (const std::string& path : paths) {
      // One that another of these replaces is to be deleted by now: this is no answer to that.
      if (nodes_.at(path).state == Node::kAbsent) answered(path, done);
    }
    return true;
  }

  /// One that depends on what is there. False: there is no connection.
  bool put_or_remove(const std::string& path) {
    Node& node = nodes_.at(path);
    std::string json;
    if (node.state == Node::kAbsent) {
      node.tried = true;
      json = fmt::format(
          R"({{"compare":[{{"key":"{}","target":"CREATE","createRevision":"0"}}],"success":[{}]}})",
          base64(path), put_request(path, node));
    } else {
      json = fmt::format(R"({{"compare":[{{"key":"{0}","target":"LEASE","lease":"{1}"}}],)"
                         R"("success":[{{"requestDeleteRange":{{"key":"{0}"}}}}]}})",
                         base64(path), lease_);
    }
    const Gateway::Answer done = call("kv/txn", json);
    if (done.failure == Gateway::Failure::kConnection) return false;
    const Result<bool> succeeded = done.value["succeeded"].as_bool();
    if (done.ok() && node.state == Node::kAbsent && !(succeeded && *succeeded)) {
      node.not_before = Clock::now() + kDeletedPause;  // another has it; until that goes
      return true;
    }
    answered(path, done);
    return true;
  }

  void answered(const std::string& path, const Gateway::Answer& done) {
    const auto place = nodes_.find(path);
    if (place == nodes_.end()) return;
    Node& node = place->second;
    if (done.failure == Gateway::Failure::kLease) {
      beat_at_ = {};  // which finds out
      node.not_before = Clock::now() + kFirstPause;
      return;
    }
    if (!done.ok()) {
      const std::string why =
          fmt::format("{} {}: {}", node.state == Node::kLeaving ? "delete" : "put", path, done.why);
      if (done.failure == Gateway::Failure::kLater) {
        trouble(why);
        node.not_before = Clock::now() + node.pause;
        node.pause = std::min(node.pause * 2, kLongestPause);
        return;
      }
      log(LogLevel::kError, fmt::format("{}: {}", address(), why));
      settle(node.waiting, Error(Code::kPeerError, why));
      if (node.state == Node::kLeaving) {
        nodes_.erase(place);
      } else {
        node.state = Node::kRefused;
      }
      return;
    }
    if (std::exchange(node.pause, kFirstPause) != kFirstPause) trouble({});
    if (node.state == Node::kLeaving) {
      settle(node.waiting);
      nodes_.erase(place);
      return;
    }
    node.state = Node::kPresent;
    settle(node.waiting);
    remove_replaced(node);
  }

  // Lists

  /// When there is something to do, if nothing is heard.
  TimePoint due(const Service& service) const {
    if (!service.watching) return service.not_before;
    return service.heard_at + (service.pause == kFirstPause ? quiet_ : std::min(quiet_, kSteady));
  }

  /// False: there is no connection.
  bool list(const std::string& prefix, Service& service) {
    const Gateway::Answer found = call(
        "kv/range",
        fmt::format(R"({{"key":"{}","range_end":"{}"}})", base64(prefix), base64(behind(prefix))));
    if (found.failure == Gateway::Failure::kConnection) return false;
    if (!found.ok()) {
      trouble(fmt::format("listing {}: {}", prefix, found.why));
      service.not_before = Clock::now() + service.pause;
      service.pause = std::min(service.pause * 2, kLongestPause);
      return true;
    }
    const std::map<std::string, ListedNode> before = std::exchange(service.children, {});
    for (const hessian::Value& one : found.value["kvs"].items()) take(prefix, service, one, before);
    service.listed = true;
    tell(service.listenings, listed(service));
    service.watching = gateway_->watch(
        fmt::format(R"({{"create_request":{{"key":"{}","range_end":"{}","start_revision":"{}"}}}})",
                    base64(prefix), base64(behind(prefix)),
                    number(found.value["header"]["revision"]) + 1),
        [this] { wake(); });
    service.heard_at = Clock::now();
    return true;
  }

  /// What the watch has brought.
  void follow(const std::string& prefix, Service& service) {
    bool changed = false;
    bool over = false;
    for (const hessian::Value& answer : service.watching->take()) {
      for (const hessian::Value& event : answer["events"].items()) {
        changed = true;
        const hessian::Value& type = event["type"];
        const Result<std::string_view> kind = type.as_string();
        if (kind && *kind == "DELETE") {
          service.children.erase(key_of(event["kv"]));
        } else {
          take(prefix, service, event["kv"], service.children);
        }
      }
      const Result<bool> canceled = answer["canceled"].as_bool();
      over = over || (canceled && *canceled);
    }
    const TimePoint now = Clock::now();
    // That a watch was made is no sign yet: some servers make it, and cancel it at once.
    if (changed || now >= service.heard_at + kSteady) {
      if (std::exchange(service.pause, kFirstPause) != kFirstPause) trouble({});
    }
    const std::optional<Error> ended = service.watching->ended();
    if (ended || over) {
      // Of a compaction, or because the connection has gone: the list tells what was missed.
      const std::string why = ended ? ended->message() : "the watch was cancelled";
      log(LogLevel::kDebug, fmt::format("{}: {} is listed anew: {}", address(), prefix, why));
      if (service.pause != kFirstPause) trouble(fmt::format("watching {}: {}", prefix, why));
      service.stop_watching();
      service.not_before = now + service.pause;
      service.pause = std::min(service.pause * 2, kLongestPause);
    } else if (changed) {
      service.heard_at = now;
    } else if (now >= service.heard_at + quiet_) {
      service.stop_watching();
      service.not_before = now;
    }
    if (changed) tell(service.listenings, listed(service));
  }

  void take(const std::string& prefix, Service& service, const hessian::Value& kv,
            const std::map<std::string, ListedNode>& before) {
    const std::string key = key_of(kv);
    if (key.size() <= prefix.size() || !key.starts_with(prefix)) return;
    const hessian::Value& text = kv["value"];
    const Result<std::string_view> value = text.as_string();
    const bool known = before.contains(key);
    ListedNode child = known ? before.at(key) : ListedNode();
    child.online = !value || from_base64(*value) != kOffline;
    child.registered = number(kv["mod_revision"]);
    if (!known) child.provider = provider_of(key, key.substr(prefix.size()));
    service.children.insert_or_assign(key, std::move(child));
  }

  void finish() override {
    services_.clear();
    if (lease_ != 0) {
      // What of ours is left goes with it, and nothing else.
      const Gateway::Answer done =
          gateway_->call("lease/revoke", fmt::format(R"({{"ID":"{}"}})", lease_));
      if (done.failure == Gateway::Failure::kConnection) {
        log(LogLevel::kWarning, fmt::format("{}: stopped before the server had answered; what was "
                                            "published goes when the lease ends",
                                            address()));
      }
    }
    nodes_.clear();
    gateway_.reset();
  }

  const std::string hosts_;
  const std::int64_t ttl_;    // seconds
  const milliseconds quiet_;  // a watch that has brought nothing for so long is made anew
  // All below: on the thread.
  std::unique_ptr<Gateway> gateway_;
  std::size_t server_ = 0;  // of the gateway's, that the watches are made at
  bool connected_ = false;
  TimePoint retry_at_{};
  milliseconds pause_ = kFirstPause;
  std::int64_t lease_ = 0;
  milliseconds lease_pause_ = kFirstPause;
  Duration beat_{};
  TimePoint beat_at_{};  // the lease is asked for, or kept
};

}  // namespace

std::shared_ptr<Keeper> make_etcd_keeper(Runtime& runtime, std::string_view url,
                                         const RegistryOptions& options) {
  Result<RegistryAddress> servers = RegistryAddress::parse(url, "etcd", 2379);
  if (!servers) throw servers.error();
  return std::make_shared<EtcdKeeper>(runtime, std::string(url), *std::move(servers), options);
}

}  // namespace settee::inline v0::rpc::registry
