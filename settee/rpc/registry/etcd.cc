// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// etcd v3, in the layout of docs/guide.md#registries, which is ZooKeeper's with keys in place of nodes:
//
//   <root>sofa-rpc/<interface>/providers/<URL-encoded url>    value "1": online, "0": offline
//   <root>sofa-rpc/<interface>/consumers/<URL-encoded url>    value empty
//
// All keys of a registry object have one lease, so they go with their process. The keeper's thread wants
// certain keys and lists to be there, and step() makes the server's state fit: what failed, or went with
// a lease, is wanted again. A list is read once and then watched from the revision behind it; when the
// watch ends, for whatever reason (a lost connection, a compaction), it is read again. A watch whose
// server has been cut off does not end: so it is also read again when another server answers our calls,
// and when the watch has long brought nothing.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "settee/rpc/internal/this_host.h"
#include "settee/rpc/registry/internal/etcd_gateway.h"
#include "settee/rpc/registry/internal/keeper.h"

namespace settee::inline v0::rpc::registry {

namespace {

using etcd::base64;
using etcd::from_base64;
using etcd::Gateway;
using etcd::number;
using std::chrono::milliseconds;

// Pauses before what failed is asked for again.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
constexpr milliseconds kReconnectPause{1'000};
// After somebody else has deleted our key, or put another in its place.
constexpr milliseconds kDeletedPause{1'000};
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

class EtcdKeeper final : public Keeper {
 public:
  EtcdKeeper(Runtime& runtime, std::string url, RegistryAddress servers,
             const RegistryOptions& options)
      : Keeper(runtime, std::move(url), options),
        hosts_(servers.hosts()),
        base_(servers.root + "sofa-rpc/"),
        ttl_(std::max<std::int64_t>(
            1, (options.session_timeout + milliseconds(999)) / std::chrono::seconds(1))),
        quiet_(3 * std::chrono::seconds(ttl_)),
        gateway_(std::make_unique<Gateway>(
            runtime, std::move(servers), options.auth,
            std::clamp(options.session_timeout / 3, milliseconds(200), kCallTime))) {
    trying("connecting to " + hosts_);
  }

  void publish(const ServiceKey& key, const Provider& provider,
               std::shared_ptr<Ticket> ticket) override {
    const std::string path = providers_of(key) + url_encode(listed_url(provider));
    std::set<std::string> replaced;
    for (auto it = published_.begin(); it != published_.end();) {
      if (it->key == key && same_address(it->provider, provider)) {
        if (it->path != path) replaced.insert(it->path);
        it = published_.erase(it);
      } else {
        ++it;
      }
    }
    published_.push_back({key, provider, path});
    Key& node = want(path, provider.attribute("dynamic") != "false" ? kOnline : kOffline);
    for (const std::string& older : replaced) {
      // What that one was to replace is left to this one.
      if (const auto place = keys_.find(older); place != keys_.end()) {
        node.replaces.merge(std::exchange(place->second.replaces, {}));
      }
    }
    node.replaces.merge(replaced);
    node.replaces.erase(path);
    if (node.state == Key::kPresent) {
      ticket->settle();
      remove_replaced(node);
    } else {
      node.waiting.push_back(std::move(ticket));
    }
  }

  void withdraw(const ServiceKey& key, const Provider& provider,
                std::shared_ptr<Ticket> ticket) override {
    const auto own = std::find_if(published_.begin(), published_.end(), [&](const Published& one) {
      return one.key == key && same_address(one.provider, provider);
    });
    if (own == published_.end()) return ticket->settle();  // not ours to take away
    const std::string path = own->path;
    published_.erase(own);
    unwant(path, std::move(ticket));
  }

  void interfaces(Names into, std::shared_ptr<Ticket> ticket) override {
    asked_.emplace_back(std::move(into), std::move(ticket));
  }

  void begin(std::shared_ptr<Listening> listening, const ConsumerInfo& consumer) override {
    Service& service = services_[providers_of(listening->key())];
    if (service.listed) tell({listening}, listed(service));
    // One key says for all watches of this service that somebody consumes it.
    if (service.listenings.empty()) {
      service.consumer = base_ + listening->key().interface_name + "/consumers/" +
                         url_encode(consumer_url(listening->key(), consumer, own_address(), id_));
      want(service.consumer, "");
    }
    service.listenings.push_back(std::move(listening));
  }

  void end(const std::shared_ptr<Listening>& listening) override {
    const auto place = services_.find(providers_of(listening->key()));
    if (place == services_.end()) return;
    Service& service = place->second;
    std::erase(service.listenings, listening);
    if (!service.listenings.empty()) return;
    unwant(service.consumer, nullptr);
    services_.erase(place);
  }

 private:
  /// A key that we want to be there, or to be gone.
  struct Key {
    enum State {
      kAbsent,   ///< is to be put
      kPresent,  ///< is there, and ours
      kRefused,  ///< cannot be put
      kLeaving,  ///< is to be deleted
    };
    State state = kAbsent;
    std::string value;
    bool tried = false;              // under this lease: it may be there
    bool take_over = true;           // what another lease has is the past
    std::set<std::string> replaces;  // older keys of ours, to be deleted when this is there
    TimePoint not_before{};
    milliseconds pause = kFirstPause;
    Tickets waiting;
  };
  struct Published {
    ServiceKey key;
    Provider provider;
    std::string path;
  };
  struct Child {
    bool online = true;
    std::int64_t revision = 0;
    std::optional<Provider> provider;  // none: unreadable
  };
  struct Service {
    bool listed = false;  // children say what the server once said
    TimePoint not_before{};
    milliseconds pause = kFirstPause;
    std::map<std::string, Child> children;
    Listenings listenings;
    std::string consumer;
    std::shared_ptr<etcd::Watching> watching;  // null: is to be listed
    TimePoint heard_at{};                      // when it began or last brought a change
    Service() = default;
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service() { stop_watching(); }
    void stop_watching() {
      if (watching) watching->cancel();
      watching.reset();
    }
  };

  /// With a slash at its end.
  std::string providers_of(const ServiceKey& key) const {
    return base_ + key.interface_name + "/providers/";
  }

  Key& want(const std::string& path, std::string_view value) {
    Key& key = keys_[path];
    if (key.state == Key::kLeaving || key.state == Key::kRefused || key.value != value) {
      settle(key.waiting, Error(Code::kCancelled, "something else was asked for meanwhile"));
      key.state = Key::kAbsent;
      key.not_before = {};
      key.pause = kFirstPause;
    }
    key.take_over = true;
    key.value = value;
    return key;
  }

  void unwant(const std::string& path, std::shared_ptr<Ticket> ticket) {
    const auto place = keys_.find(path);
    if (place == keys_.end()) {
      if (ticket != nullptr) ticket->settle();
      return;
    }
    Key& key = place->second;
    if (key.state != Key::kLeaving) {
      settle(key.waiting, Error(Code::kCancelled, "something else was asked for meanwhile"));
    }
    for (const std::string& older : std::exchange(key.replaces, {})) unwant(older, nullptr);
    if (ticket != nullptr) key.waiting.push_back(std::move(ticket));
    key.state = Key::kLeaving;
    key.not_before = {};
    if (!key.tried) {
      settle(key.waiting);
      keys_.erase(path);
    }
  }

  void remove_replaced(Key& key) {
    for (const std::string& older : std::exchange(key.replaces, {})) unwant(older, nullptr);
  }

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
    while (!asked_.empty()) {
      if (!answer(asked_.front())) return std::nullopt;
      asked_.pop_front();
    }
    if (!keys_.empty()) {
      const std::optional<TimePoint> beat = keep_lease();
      if (!beat) return std::nullopt;
      next = std::min(next, *beat);
      const std::optional<TimePoint> again = put_and_remove();
      if (!again) return std::nullopt;
      next = std::min(next, *again);
    }
    for (auto& [path, service] : services_) {
      if (!service.watching && Clock::now() >= service.not_before && !list(path, service)) {
        return std::nullopt;
      }
      if (service.watching) follow(path, service);
    }
    for (const auto& [path, service] : services_) next = std::min(next, due(service));
    return next;
  }

  // Who asks for the interfaces. False: there is no connection.
  using Asked = std::pair<Names, std::shared_ptr<Ticket>>;
  bool answer(const Asked& asked) {
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
    for (auto it = keys_.begin(); it != keys_.end();) {
      Key& key = it->second;
      key.tried = false;
      if (key.state == Key::kLeaving) {  // it went with the lease
        settle(key.waiting);
        it = keys_.erase(it);
        continue;
      }
      key.state = Key::kAbsent;  // kRefused too: what was in the way may have passed
      key.take_over = true;
      key.not_before = {};
      key.pause = kFirstPause;
      ++it;
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
    for (auto& [path, key] : keys_) {
      if (key.state != Key::kPresent || there.contains(path)) continue;
      log(LogLevel::kWarning,
          fmt::format("{}: somebody has deleted {}, or put another in its place; it is put again "
                      "when there is none",
                      address(), path));
      key.state = Key::kAbsent;
      key.take_over = false;
      key.not_before = Clock::now() + kDeletedPause;
    }
    return true;
  }

  // Keys

  std::optional<TimePoint> put_and_remove() {
    TimePoint next = kNoDeadline;
    if (lease_ == 0) return next;
    std::vector<std::string> due;
    for (const auto& [path, key] : keys_) {
      if (key.state != Key::kAbsent && key.state != Key::kLeaving) continue;
      if (Clock::now() >= key.not_before) {
        due.push_back(path);
      } else {
        next = std::min(next, key.not_before);
      }
    }
    // Those that nothing hinders go together.
    std::vector<std::string> batch;
    for (const std::string& path : due) {
      const auto place = keys_.find(path);
      if (place == keys_.end()) continue;  // what was done to another has taken it away
      const Key& key = place->second;
      if (key.state == Key::kAbsent && key.take_over) {
        batch.push_back(path);
        if (batch.size() == kBatch && !put(std::exchange(batch, {}))) return std::nullopt;
      } else if (!put_or_remove(path)) {
        return std::nullopt;
      }
    }
    if (!batch.empty() && !put(batch)) return std::nullopt;
    for (const auto& [path, key] : keys_) {
      if (key.state == Key::kAbsent || key.state == Key::kLeaving) {
        next = std::min(next, key.not_before);
      }
    }
    return next;
  }

  std::string put_request(const std::string& path, const Key& key) const {
    return fmt::format(R"({{"requestPut":{{"key":"{}","value":"{}","lease":"{}"}}}})", base64(path),
                       base64(key.value), lease_);
  }

  /// False: there is no connection.
  bool put(const std::vector<std::string>& paths) {
    std::string requests;
    for (const std::string& path : paths) {
      Key& key = keys_.at(path);
      key.tried = true;
      requests += (requests.empty() ? "" : ",") + put_request(path, key);
    }
    const Gateway::Answer done = call("kv/txn", fmt::format(R"({{"success":[{}]}})", requests));
    if (done.failure == Gateway::Failure::kConnection) return false;
    for (const std::string& path : paths) {
      // One that another of these replaces is to be deleted by now: this is no answer to that.
      if (keys_.at(path).state == Key::kAbsent) answered(path, done);
    }
    return true;
  }

  /// One that depends on what is there. False: there is no connection.
  bool put_or_remove(const std::string& path) {
    Key& key = keys_.at(path);
    std::string json;
    if (key.state == Key::kAbsent) {
      key.tried = true;
      json = fmt::format(
          R"({{"compare":[{{"key":"{}","target":"CREATE","createRevision":"0"}}],"success":[{}]}})",
          base64(path), put_request(path, key));
    } else {
      json = fmt::format(R"({{"compare":[{{"key":"{0}","target":"LEASE","lease":"{1}"}}],)"
                         R"("success":[{{"requestDeleteRange":{{"key":"{0}"}}}}]}})",
                         base64(path), lease_);
    }
    const Gateway::Answer done = call("kv/txn", json);
    if (done.failure == Gateway::Failure::kConnection) return false;
    const Result<bool> succeeded = done.value["succeeded"].as_bool();
    if (done.ok() && key.state == Key::kAbsent && !(succeeded && *succeeded)) {
      key.not_before = Clock::now() + kDeletedPause;  // another has it; until that goes
      return true;
    }
    answered(path, done);
    return true;
  }

  void answered(const std::string& path, const Gateway::Answer& done) {
    const auto place = keys_.find(path);
    if (place == keys_.end()) return;
    Key& key = place->second;
    if (done.failure == Gateway::Failure::kLease) {
      beat_at_ = {};  // which finds out
      key.not_before = Clock::now() + kFirstPause;
      return;
    }
    if (!done.ok()) {
      const std::string why =
          fmt::format("{} {}: {}", key.state == Key::kLeaving ? "delete" : "put", path, done.why);
      if (done.failure == Gateway::Failure::kLater) {
        trouble(why);
        key.not_before = Clock::now() + key.pause;
        key.pause = std::min(key.pause * 2, kLongestPause);
        return;
      }
      log(LogLevel::kError, fmt::format("{}: {}", address(), why));
      settle(key.waiting, Error(Code::kPeerError, why));
      if (key.state == Key::kLeaving) {
        keys_.erase(place);
      } else {
        key.state = Key::kRefused;
      }
      return;
    }
    if (std::exchange(key.pause, kFirstPause) != kFirstPause) trouble({});
    if (key.state == Key::kLeaving) {
      settle(key.waiting);
      keys_.erase(place);
      return;
    }
    key.state = Key::kPresent;
    settle(key.waiting);
    remove_replaced(key);
  }

  // Lists

  /// When there is something to do, if nothing is heard.
  TimePoint due(const Service& service) const {
    if (!service.watching) return service.not_before;
    return service.heard_at + (service.pause == kFirstPause ? quiet_ : std::min(quiet_, kSteady));
  }

  /// False: there is no connection.
  bool list(const std::string& path, Service& service) {
    const Gateway::Answer found = call("kv/range", fmt::format(R"({{"key":"{}","range_end":"{}"}})",
                                                               base64(path), base64(behind(path))));
    if (found.failure == Gateway::Failure::kConnection) return false;
    if (!found.ok()) {
      trouble(fmt::format("listing {}: {}", path, found.why));
      service.not_before = Clock::now() + service.pause;
      service.pause = std::min(service.pause * 2, kLongestPause);
      return true;
    }
    const std::map<std::string, Child> before = std::exchange(service.children, {});
    for (const hessian::Value& one : found.value["kvs"].items()) take(path, service, one, before);
    service.listed = true;
    tell(service.listenings, listed(service));
    service.watching = gateway_->watch(
        fmt::format(R"({{"create_request":{{"key":"{}","range_end":"{}","start_revision":"{}"}}}})",
                    base64(path), base64(behind(path)),
                    number(found.value["header"]["revision"]) + 1),
        [this] { wake(); });
    service.heard_at = Clock::now();
    return true;
  }

  /// What the watch has brought.
  void follow(const std::string& path, Service& service) {
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
          take(path, service, event["kv"], service.children);
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
      log(LogLevel::kDebug, fmt::format("{}: {} is listed anew: {}", address(), path, why));
      if (service.pause != kFirstPause) trouble(fmt::format("watching {}: {}", path, why));
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

  void take(const std::string& path, Service& service, const hessian::Value& kv,
            const std::map<std::string, Child>& before) {
    const std::string key = key_of(kv);
    if (key.size() <= path.size() || !key.starts_with(path)) return;
    const hessian::Value& text = kv["value"];
    const Result<std::string_view> value = text.as_string();
    const bool known = before.contains(key);
    Child child = known ? before.at(key) : Child();
    child.online = !value || from_base64(*value) != kOffline;
    child.revision = number(kv["mod_revision"]);
    if (!known) {
      const std::string name = key.substr(path.size());
      const Result<std::string> url = url_decode(name);
      Result<Provider> provider = url ? Provider::parse(*url) : Result<Provider>(url.error());
      if (provider) {
        child.provider = normalised(*std::move(provider));
      } else {
        log(LogLevel::kWarning,
            fmt::format("{}: {} is ignored: {}", address(), key, provider.error().message()));
      }
    }
    service.children.insert_or_assign(key, std::move(child));
  }

  static Providers listed(const Service& service) {
    std::vector<Entry> entries;
    for (const auto& [key, child] : service.children) {
      if (child.online && child.provider && !switched_off(*child.provider)) {
        entries.push_back({*child.provider, child.revision});
      }
    }
    return latest(entries);
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
    keys_.clear();
    gateway_.reset();
  }

  const std::string hosts_;
  const std::string base_;
  const std::int64_t ttl_;    // seconds
  const milliseconds quiet_;  // a watch that has brought nothing for so long is made anew
  // Tells the consumers' keys of this process apart.
  const std::string id_ = fmt::format("{:x}", reinterpret_cast<std::uintptr_t>(this));
  // All below: on the thread.
  std::unique_ptr<Gateway> gateway_;
  std::size_t server_ = 0;  // of the gateway's, that the watches are made at
  std::deque<Asked> asked_;
  bool connected_ = false;
  TimePoint retry_at_{};
  milliseconds pause_ = kFirstPause;
  std::int64_t lease_ = 0;
  milliseconds lease_pause_ = kFirstPause;
  Duration beat_{};
  TimePoint beat_at_{};  // the lease is asked for, or kept
  std::vector<Published> published_;
  std::map<std::string, Key> keys_;
  std::map<std::string, Service> services_;  // by the beginning of their providers' keys
};

}  // namespace

std::shared_ptr<Keeper> make_etcd_keeper(Runtime& runtime, std::string_view url,
                                         const RegistryOptions& options) {
  Result<RegistryAddress> servers = RegistryAddress::parse(url, "etcd", 2379);
  if (!servers) throw servers.error();
  return std::make_shared<EtcdKeeper>(runtime, std::string(url), *std::move(servers), options);
}

}  // namespace settee::inline v0::rpc::registry
