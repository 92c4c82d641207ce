// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// ZooKeeper as a source of dynamic configuration, in the layout of Java SOFARPC:
//
//   <root>sofa-rpc/config/<app>/<key>    data: the value
//
// A thread lists the keys and reads their data, each with a watch, and does all of it again when a
// watch has fired: there are few.

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <thread>

#include "settee/rpc/internal/dynamic_store.h"
#include "settee/rpc/registry/internal/names.h"
#include "settee/rpc/registry/internal/zookeeper_session.h"

namespace settee::inline v0::rpc {

namespace {

using registry::RegistryAddress;
using registry::zookeeper::Answer;
using registry::zookeeper::is_connection;
using registry::zookeeper::probe;
using registry::zookeeper::Session;
using registry::zookeeper::text_of;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
// How often a missing connection is worth a look at why.
constexpr milliseconds kProbePause{2'000};

class DynamicZookeeper final : public DynamicStore {
 public:
  DynamicZookeeper(Runtime& runtime, std::string url, RegistryAddress servers, std::string_view app,
                   const DynamicConfigOptions& options)
      : DynamicStore(runtime, std::move(url)),
        servers_(std::move(servers)),
        path_(fmt::format("{}sofa-rpc/config/{}", servers_.root, app)),
        session_timeout_(options.session_timeout),
        auth_scheme_(options.auth_scheme),
        auth_(options.auth) {
    thread_ = std::thread([this] { run(); });
  }
  ~DynamicZookeeper() override { stop(); }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    const std::lock_guard alone(joining_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), "settee-dynamic");
    for (;;) {
      TimePoint next = Clock::now() + std::chrono::seconds(1);
      try {
        next = step();
      } catch (...) {
        log(LogLevel::kError, fmt::format("{}: {}; it goes on in a second", address(),
                                          settee::detail::current_error().what()));
      }
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, next, [this] { return stopping_ || woken_; });
      if (stopping_) break;
      woken_ = false;
    }
    session_.reset();
  }

  /// Does what there is to do; returns when it wants to be called again at the latest.
  TimePoint step() {
    if (session_ == nullptr) {
      if (Clock::now() < open_at_) return open_at_;
      open();
      if (session_ == nullptr) return open_at_;
    }
    const Session::News news = session_->news();
    if (!news.changed.empty()) fresh_ = false;
    if (news.state == ZOO_EXPIRED_SESSION_STATE) {
      lose_session("the session has ended");
      return open_at_;
    }
    if (news.state == ZOO_AUTH_FAILED_STATE) {
      refused_ = true;
      lose_session(fmt::format("the server refuses the user of the scheme '{}'", auth_scheme_));
      open_at_ = Clock::now() + pause_;
      pause_ = std::min(pause_ * 2, kLongestPause);
      return open_at_;
    }
    if (news.state != ZOO_CONNECTED_STATE) return while_disconnected();
    connected_ = true;
    if (fresh_ || Clock::now() < list_at_) return fresh_ ? far() : list_at_;
    const int rc = list();
    if (rc == ZOK) {
      fresh_ = true;
      refused_ = false;
      pause_ = kFirstPause;
      trouble({});
      return far();
    }
    // The connection of a refused user may end before it is said why: that has been told.
    if (rc != ZCLOSING && rc != ZAUTHFAILED && !(refused_ && is_connection(rc))) {
      trouble(fmt::format("{}: reading {}: {}", address(), path_, text_of(rc)));
    }
    list_at_ = Clock::now() + pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
    return list_at_;
  }

  static TimePoint far() { return Clock::now() + std::chrono::hours(1); }

  void open() {
    session_ = std::make_unique<Session>([this] { return std::unique_lock(mutex_); },
                                         [this] {
                                           woken_ = true;
                                           changed_.notify_all();
                                         },
                                         auth_.empty());
    connected_ = false;
    lost_at_ = Clock::now();
    probe_at_ = lost_at_ + kFirstPause;
    if (session_->open(servers_.hosts(), session_timeout_, auth_scheme_, auth_)) return;
    const int error = errno;
    session_.reset();
    trouble(fmt::format("{}: opening a session: {} ({})", address(), std::strerror(error), why()));
    open_at_ = Clock::now() + pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
  }

  void lose_session(std::string_view what) {
    trouble(
        fmt::format("{}: {}; a new one is opened, what was in force stays so", address(), what));
    session_.reset();
    connected_ = false;
    fresh_ = false;
    open_at_ = Clock::now() + kFirstPause;
  }

  TimePoint while_disconnected() {
    const TimePoint now = Clock::now();
    if (std::exchange(connected_, false)) {
      lost_at_ = now;
      probe_at_ = now + kFirstPause;
    }
    // As in the registry: a server that has lost its data refuses the old session for ever.
    if (session_->id() != 0 &&
        now >= lost_at_ + milliseconds(zoo_recv_timeout(session_->handle()))) {
      lose_session("the session has had no connection for its whole time");
      return open_at_;
    }
    if (now >= probe_at_) {
      trouble(fmt::format("{}: not connected: {}; what was in force stays so", address(), why()));
      probe_at_ = Clock::now() + kProbePause;
    }
    return probe_at_;
  }

  std::string why() const {
    std::string text;
    for (const net::Endpoint& server : servers_.servers) {
      text += fmt::format("{}{} {}", text.empty() ? "" : "; ", server.to_string(), probe(server));
    }
    return text;
  }

  int wait_for(Answer& answer) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, Clock::now() + session_timeout_ * 2,
                        [&] { return stopping_ || answer.there; });
    return answer.there ? answer.rc : static_cast<int>(ZCLOSING);
  }
  /// An answer that has not come stays until its session ends.
  void forget(Answer& answer, int rc) {
    if (rc != ZCLOSING) session_->forget(answer);
  }

  int list() {
    std::vector<std::string> names;
    const auto wait = [this](Answer& answer) { return wait_for(answer); };
    if (const int rc = session_->list_or_await(path_, wait, names); rc != ZOK) return rc;
    std::vector<std::pair<std::string, Answer*>> asked;
    for (const std::string& name : names) {
      asked.emplace_back(name, &session_->get(path_ + "/" + name));
    }
    Offers all;
    int failed = ZOK;
    for (const auto& [name, answer] : asked) {
      const int rc = wait_for(*answer);
      if (rc == ZOK) {
        // A node without data is one that somebody has only begun to make.
        if (!answer->data.empty()) all[name] = {answer->data, path_ + "/" + name};
      } else if (rc != ZNONODE) {
        failed = rc;
      }
      forget(*answer, rc);
    }
    if (failed == ZOK) take(all);
    return failed;
  }

  const RegistryAddress servers_;
  const std::string path_;
  const milliseconds session_timeout_;
  const std::string auth_scheme_;
  const std::string auth_;
  std::mutex joining_;
  std::mutex mutex_;  // guards what follows, and what the session is told
  std::condition_variable changed_;
  bool stopping_ = false;
  bool woken_ = false;
  // The thread's.
  std::unique_ptr<Session> session_;
  bool connected_ = false;
  bool fresh_ = false;    // false: is to be listed
  bool refused_ = false;  // the user was, and nothing has been read since
  TimePoint lost_at_{};
  TimePoint probe_at_{};
  TimePoint open_at_{};
  TimePoint list_at_{};
  milliseconds pause_ = kFirstPause;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<DynamicConfig> open_dynamic_zookeeper(Runtime& runtime, std::string_view url,
                                                      std::string_view app,
                                                      const DynamicConfigOptions& options) {
  Result<RegistryAddress> servers =
      RegistryAddress::parse(url, "zookeeper", registry::kZookeeperPort);
  if (!servers) throw servers.error();
  return std::make_shared<DynamicZookeeper>(runtime, std::string(url), *std::move(servers), app,
                                            options);
}

}  // namespace settee::inline v0::rpc
