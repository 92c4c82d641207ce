// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ZooKeeper, in the layout of Java SOFARPC's ZookeeperRegistry:
//
//   <root>sofa-rpc/<interface>/providers/<URL-encoded url>    ephemeral, data 1: online, 0: offline
//   <root>sofa-rpc/<interface>/consumers/<URL-encoded url>    ephemeral
//
// The keeper's thread wants certain nodes and lists to be there, and step() makes the server's
// state fit: what failed, or went with a session, is wanted again. Calls of ZooKeeper's client are
// sent without waiting, answers are waited for where the next call needs them. The client's own
// threads only put down what they bring, under the keeper's lock.

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "settee/rpc/registry/internal/names.h"
#include "settee/rpc/registry/internal/node_keeper.h"
#include "settee/rpc/registry/internal/zookeeper_session.h"

namespace settee::inline v0::rpc::registry {

namespace {

using std::chrono::milliseconds;
using zookeeper::Answer;
using zookeeper::is_connection;
using zookeeper::is_final;
using zookeeper::probe;
using zookeeper::Session;
using zookeeper::text_of;

// How soon a missing connection is worth a look at why, and how often after that.
constexpr milliseconds kFirstProbe{200};
constexpr milliseconds kProbePause{2'000};
// How long stop() waits for the answers to its deletions.
constexpr milliseconds kLastTry{2'000};

constexpr std::string_view kOnline("\1", 1);
constexpr std::string_view kOffline("\0", 1);

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

struct Child : ListedNode {
  bool fresh = false;  // false: its data are to be read
};
struct Service : ListedService {
  bool fresh = false;  // false: is to be listed
  std::map<std::string, Child> children;
};

class ZookeeperKeeper final : public ServiceKeeper<Service> {
 public:
  ZookeeperKeeper(Runtime& runtime, std::string url, RegistryAddress servers,
                  const RegistryOptions& options)
      : ServiceKeeper(runtime, std::move(url), servers.root, options),
        servers_(std::move(servers)),
        session_timeout_(options.session_timeout),
        auth_scheme_(options.auth_scheme),
        auth_(options.auth) {
    trying("connecting to " + servers_.hosts());
  }

 private:
  std::string_view data_of(bool online) const override { return online ? kOnline : kOffline; }

  TimePoint step() override {
    if (session_ == nullptr && Clock::now() >= open_at_) open();
    if (session_ == nullptr) return open_at_;
    const Session::News news = session_->news();
    if (news.state == ZOO_EXPIRED_SESSION_STATE) {
      log(LogLevel::kWarning,
          fmt::format("{}: session 0x{:x} has expired; it registers and watches again in a new one",
                      address(), static_cast<std::uint64_t>(session_->id())));
      reconnecting("session expired");
      lose_session();
      return open_at_;
    }
    if (news.state == ZOO_AUTH_FAILED_STATE) {
      refused_ = true;
      trouble(
          fmt::format("the server refuses the user of the scheme '{}' "
                      "(RegistryOptions::auth_scheme and auth); it is tried again, ever less "
                      "often",
                      auth_scheme_));
      reconnecting("authentication refused");
      lose_session();
      pause_before_opening();
      return open_at_;
    }
    for (const std::string& path : news.changed) note_change(path);
    if (news.state != ZOO_CONNECTED_STATE) return while_disconnected();
    if (!std::exchange(connected_, true) && !refused_) welcome();
    return work();
  }

  /// The server has taken us.
  void welcome() {
    refused_ = false;
    open_pause_ = kFirstPause;
    trouble({});
    connected();
    log(LogLevel::kInfo, fmt::format("{}: connected, session 0x{:x}, which ends {} ms after the "
                                     "last sign of this process",
                                     address(), static_cast<std::uint64_t>(session_->id()),
                                     zoo_recv_timeout(handle())));
  }

  void pause_before_opening() {
    open_at_ = Clock::now() + open_pause_;
    open_pause_ = std::min(open_pause_ * 2, kLongestPause);
  }

  zhandle_t* handle() const noexcept { return session_->handle(); }

  void open() {
    session_ = std::make_unique<Session>([this] { return lock(); }, [this] { wake_locked(); },
                                         auth_.empty());
    connected_ = false;
    lost_at_ = Clock::now();
    probe_at_ = lost_at_ + kFirstProbe;
    if (session_->open(servers_.hosts(), session_timeout_, auth_scheme_, auth_)) return;
    const int error = errno;
    session_.reset();
    trouble(fmt::format("opening a session: {} ({})", std::strerror(error), probe_all()));
    pause_before_opening();
  }

  void reconnecting(std::string event) {
    trying("connecting to " + servers_.hosts(), std::move(event));
  }

  /// Why there is no connection, of each server.
  std::string probe_all() {
    std::string all;
    std::string why;
    for (const net::Endpoint& server : servers_.servers) {
      if (stopping()) break;
      why = probe(server);
      all += fmt::format("{}{} {}", all.empty() ? "" : "; ", server.to_string(), why);
    }
    if (!all.empty()) failing(servers_.servers.size() == 1 ? why : all);
    return all;
  }

  bool answer(const Asked& asked) override {
    Answer& answer = session_->list(base_.substr(0, base_.size() - 1));
    const int rc = wait_for(answer);
    if (rc == ZOK) *asked.first = std::move(answer.names);
    forget(answer, rc);
    if (is_connection(rc)) return false;
    if (rc == ZOK || rc == ZNONODE) {
      asked.second->settle();
    } else {
      asked.second->settle(
          Error(Code::kPeerError, fmt::format("{}: {}", asked.second->what(), text_of(rc))));
    }
    return true;
  }

  void lose_session() {
    session_.reset();
    connected_ = false;
    lose_nodes();
    for (auto& [path, service] : services_) {
      service.fresh = false;
      service.not_before = {};
      for (auto& [name, child] : service.children) child.fresh = false;
    }
  }

  TimePoint while_disconnected() {
    if (connected_) {
      connected_ = false;
      reconnecting("connection lost");
      lost_at_ = Clock::now();
      probe_at_ = lost_at_ + kFirstProbe;
    }
    // The client would go on with the old session for ever. A server that has lost its data refuses
    // it for ever, and any other has ended it by now, or was away and lets us take over what is
    // ours.
    const milliseconds limit(zoo_recv_timeout(handle()));
    const bool had_one = session_->id() != 0;
    if (had_one && Clock::now() >= lost_at_ + limit) {
      log(LogLevel::kWarning,
          fmt::format(
              "{}: session 0x{:x} has had no connection for {} ms; it registers and watches "
              "again in a new one",
              address(), static_cast<std::uint64_t>(session_->id()), limit.count()));
      reconnecting("session given up");
      lose_session();
      return open_at_;
    }
    if (Clock::now() >= probe_at_) {
      trouble("not connected: " + probe_all());
      probe_at_ = Clock::now() + kProbePause;
    }
    return had_one ? std::min(probe_at_, lost_at_ + limit) : probe_at_;
  }

  /// A watch has fired.
  void note_change(const std::string& path) {
    if (const auto service = services_.find(path); service != services_.end()) {
      service->second.fresh = false;
      service->second.not_before = {};
      return;
    }
    if (const auto service = services_.find(parent_of(path)); service != services_.end()) {
      const auto child = service->second.children.find(path.substr(path.rfind('/') + 1));
      if (child != service->second.children.end()) {
        child->second.fresh = false;
        service->second.fresh = false;
      }
    }
    if (nodes_.contains(path)) looked_at_.insert(path);
  }

  /// Waits for an answer; ZCLOSING if the registry is stopped meanwhile.
  int wait_for(Answer& answer) {
    std::unique_lock held = lock();
    const bool there =
        wait(held, Clock::now() + session_timeout_ * 2, [&] { return answer.there; });
    const int rc = there ? answer.rc : static_cast<int>(ZCLOSING);
    held.unlock();
    // The user is sent before all else: who gets an answer has not been refused.
    if (refused_ && !is_connection(rc)) welcome();
    return rc;
  }
  /// The same for a call of which only the code matters.
  int done(Answer& answer) {
    const int rc = wait_for(answer);
    forget(answer, rc);
    return rc;
  }
  /// Whether a node is there, and whose it is.
  int look(const std::string& path, bool watched, std::int64_t& owner) {
    Answer& answer = session_->look(path, watched);
    const int rc = wait_for(answer);
    if (rc == ZOK) owner = answer.owner;
    forget(answer, rc);
    return rc;
  }
  /// An answer that has not come stays until its session ends.
  void forget(Answer& answer, int rc) {
    if (rc != ZCLOSING) session_->forget(answer);
  }

  /// What there is to do on a connected session.
  TimePoint work() {
    TimePoint next = kNoDeadline;
    if (!answer_asked()) return soon();
    for (const std::string& path : std::exchange(looked_at_, {})) look_after(path);
    // By name: what is done to one may take others away.
    std::vector<std::string> names;
    for (const auto& [path, node] : nodes_) names.push_back(path);
    for (const std::string& path : names) {
      const auto place = nodes_.find(path);
      if (place == nodes_.end()) continue;
      Node& node = place->second;
      if (node.state != Node::kAbsent && node.state != Node::kLeaving) continue;
      if (Clock::now() >= node.not_before) {
        const int rc = node.state == Node::kAbsent ? make(path, node) : remove(path, node);
        if (rc == ZOK) continue;  // the node may be gone
        if (is_connection(rc)) return soon();
        failed(path, node, rc);
        if (node.state == Node::kRefused) continue;
      }
      next = std::min(next, node.not_before);
    }
    for (auto& [path, service] : services_) {
      if (service.fresh) continue;
      if (Clock::now() >= service.not_before) {
        const int rc = list(path, service);
        if (is_connection(rc)) return soon();
        if (rc == ZOK) {
          if (std::exchange(service.pause, kFirstPause) != kFirstPause) trouble({});
          tell(service.listenings, listed(service));
          continue;
        }
        trouble(fmt::format("listing {}: {}", path, text_of(rc)));
        service.not_before = Clock::now() + service.pause;
        service.pause = std::min(service.pause * 2, kLongestPause);
      }
      next = std::min(next, service.not_before);
    }
    return next;
  }

  /// The session's own event follows a lost connection; this is for when it came first.
  TimePoint soon() const { return Clock::now() + kFirstPause; }

  void failed(const std::string& path, Node& node, int rc) {
    const std::string why = fmt::format(
        "{} {}: {}", node.state == Node::kLeaving ? "delete" : "create", path, text_of(rc));
    if (is_final(rc)) {
      log(LogLevel::kError, fmt::format("{}: {}", address(), why));
      settle(node.waiting, Error(Code::kPeerError, why));
      node.state = Node::kRefused;
      return;
    }
    trouble(why);
    node.not_before = Clock::now() + node.pause;
    node.pause = std::min(node.pause * 2, kLongestPause);
  }

  int make(const std::string& path, Node& node) {
    node.tried = true;
    int rc = done(session_->create(path, node.data, ZOO_EPHEMERAL));
    if (rc == ZNONODE) {
      if (const int parents = make_parents(path); parents != ZOK) return parents;
      rc = done(session_->create(path, node.data, ZOO_EPHEMERAL));
    }
    if (rc == ZNODEEXISTS) {
      std::int64_t owner = 0;
      rc = look(path, true, owner);
      if (rc == ZNONODE) return ZNODEEXISTS;  // it has just gone: again
      if (rc != ZOK) return rc;
      if (owner == session_->id()) {
        // Ours: only the answer was lost. Its data may be older than what is wanted.
        rc = done(session_->renew(path, node.data));
      } else if (node.take_over) {
        // A killed process has left it behind and it would go when that session expires, ours with
        // it.
        log(LogLevel::kInfo, fmt::format("{}: takes over {} from session 0x{:x}", address(), path,
                                         static_cast<std::uint64_t>(owner)));
        rc = done(session_->renew(path, node.data));
      } else {
        node.state = Node::kForeign;
        settle(node.waiting);
        return ZOK;
      }
    }
    if (rc != ZOK) return rc;
    // So that we learn of it if somebody deletes it.
    if (const int watched = done(session_->look(path, true)); watched != ZOK) return watched;
    trouble({});
    node.state = Node::kPresent;
    node.pause = kFirstPause;
    settle(node.waiting);
    remove_replaced(node);
    return ZOK;
  }

  int make_parents(const std::string& path) {
    const std::string parent = parent_of(path);
    for (std::size_t slash = parent.find('/', 1);; slash = parent.find('/', slash + 1)) {
      const int rc = done(session_->create(parent.substr(0, slash), "", ZOO_PERSISTENT));
      if (rc != ZOK && rc != ZNODEEXISTS) return rc;
      if (slash == std::string::npos) return ZOK;
    }
  }

  int remove(const std::string& path, Node& node) {
    // What another session has made since then is not ours.
    std::int64_t owner = 0;
    int rc = look(path, false, owner);
    if (rc == ZOK && owner == session_->id()) rc = done(session_->remove(path));
    if (rc != ZOK && rc != ZNONODE) return rc;
    settle(node.waiting);
    nodes_.erase(path);
    return ZOK;
  }

  /// The watch of one of our nodes has fired.
  void look_after(const std::string& path) {
    const auto place = nodes_.find(path);
    if (place == nodes_.end()) return;
    Node& node = place->second;
    if (node.state != Node::kPresent && node.state != Node::kForeign) return;
    std::int64_t owner = 0;
    const int rc = look(path, true, owner);
    if (rc == ZOK) {
      if (owner != session_->id() && node.state == Node::kPresent) {
        log(LogLevel::kWarning,
            fmt::format(
                "{}: session 0x{:x} has taken over {}; is another process publishing the same?",
                address(), static_cast<std::uint64_t>(owner), path));
        node.state = Node::kForeign;
      }
    } else if (rc == ZNONODE) {
      if (node.state == Node::kPresent) {
        log(LogLevel::kWarning,
            fmt::format("{}: somebody has deleted {}; it is made again", address(), path));
      }
      node.state = Node::kAbsent;
      node.take_over = false;  // two that publish the same must not take turns
      node.not_before = Clock::now() + kDeletedPause;
    } else {
      looked_at_.insert(path);
    }
  }

  int list(const std::string& path, Service& service) {
    std::vector<std::string> names;
    const auto wait = [this](Answer& answer) { return wait_for(answer); };
    if (const int rc = session_->list_or_await(path, wait, names); rc != ZOK) return rc;
    const std::set<std::string> present(names.begin(), names.end());
    std::erase_if(service.children,
                  [&](const auto& child) { return !present.contains(child.first); });
    std::vector<std::pair<std::string, Answer*>> asked;
    for (const std::string& name : names) {
      if (!service.children[name].fresh)
        asked.emplace_back(name, &session_->get(path + "/" + name));
    }
    int failed = ZOK;
    for (const auto& [name, answer] : asked) {
      const int rc = wait_for(*answer);
      if (rc == ZOK) {
        read(path, name, *answer, service.children[name]);
      } else if (rc == ZNONODE) {
        service.children.erase(name);
      } else if (rc == ZNOAUTH) {
        log(LogLevel::kWarning,
            fmt::format("{}: {}/{} is ignored: {}", address(), path, name, text_of(rc)));
        service.children[name].fresh = true;  // others need not suffer
      } else {
        failed = rc;
      }
      forget(*answer, rc);
    }
    if (failed != ZOK) return failed;
    service.fresh = true;
    service.listed = true;
    return ZOK;
  }

  void read(const std::string& path, const std::string& name, const Answer& answer, Child& child) {
    const bool known = child.registered != 0;
    child.fresh = true;
    child.online = answer.data != kOffline;
    child.registered = answer.created;
    if (!known) child.provider = provider_of(path + "/" + name, name);  // it says all else
  }

  void finish() override {
    if (session_ != nullptr && connected_) {
      const TimePoint until = Clock::now() + kLastTry;
      const auto all_there = [&](const std::vector<std::pair<std::string, Answer*>>& asked) {
        std::unique_lock held = lock();
        return wait_anyhow(held, until, [&] {
          return std::all_of(asked.begin(), asked.end(),
                             [](const auto& one) { return one.second->there; });
        });
      };
      std::vector<std::pair<std::string, Answer*>> looked;
      for (const auto& [path, node] : nodes_) {
        if (node.tried) looked.emplace_back(path, &session_->look(path, false));
      }
      bool gone = all_there(looked);
      std::vector<std::pair<std::string, Answer*>> removed;
      if (gone) {
        for (const auto& [path, found] : looked) {
          // What is no longer ours is left to its owner.
          if (found->rc != ZOK || found->owner != session_->id()) continue;
          removed.emplace_back(path, &session_->remove(path));
        }
        gone = all_there(removed);
      }
      if (!gone) {
        log(LogLevel::kWarning, fmt::format("{}: stopped before the server had answered; what was "
                                            "published goes when the session ends",
                                            address()));
      }
    }
    session_.reset();
    nodes_.clear();
    services_.clear();
  }

  const RegistryAddress servers_;
  const milliseconds session_timeout_;
  const std::string auth_scheme_;
  const std::string auth_;
  // All below: on the thread.
  std::unique_ptr<Session> session_;
  bool connected_ = false;
  TimePoint lost_at_{};
  TimePoint probe_at_{};
  TimePoint open_at_{};
  milliseconds open_pause_ = kFirstPause;
  bool refused_ = false;             // the user was, and no answer has come since
  std::set<std::string> looked_at_;  // nodes of ours whose watches have fired
};

}  // namespace

std::shared_ptr<Keeper> make_zookeeper_keeper(Runtime& runtime, std::string_view url,
                                              const RegistryOptions& options) {
  Result<RegistryAddress> servers = RegistryAddress::parse(url, "zookeeper", kZookeeperPort);
  if (!servers) throw servers.error();
  return std::make_shared<ZookeeperKeeper>(runtime, std::string(url), *std::move(servers), options);
}

}  // namespace settee::inline v0::rpc::registry
