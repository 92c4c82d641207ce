// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A session with ZooKeeper, as the registry and the dynamic configuration have it: calls of
// ZooKeeper's client are sent without waiting, its own threads only put down what they bring, under
// the owner's lock.

#pragma once

#include <zookeeper/zookeeper.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/net/endpoint.h"

namespace settee::inline v0::rpc::registry::zookeeper {

/// A code of the client's, for people.
std::string text_of(int rc);
/// Trying again changes nothing.
bool is_final(int rc);
/// What the session's next events will tell more about.
bool is_connection(int rc);
/// Why a server cannot be connected to; what the client knows of it stays in its own log.
std::string probe(const net::Endpoint& server);

/// The client writes to standard error unless told otherwise, and cannot say which handle speaks.
void discard(const char*);

/// The answer to one call.
struct Answer {
  class Session* session = nullptr;
  bool there = false;
  int rc = ZOK;
  std::int64_t owner = 0;    // session of an ephemeral node
  std::int64_t created = 0;  // transaction that made the node
  std::vector<std::string> names;
  std::string data;
  // What the client writes to before it answers.
  std::array<zoo_op_t, 2> operations{};
  std::array<zoo_op_result_t, 2> results{};
  std::array<char, 1> made{};
};

/// One handle of the client. Its owner is the keeper's thread; the client's threads call the static
/// members, none of which runs any more when zookeeper_close() has returned.
class Session {
 public:
  /// `for_all`: whether everybody may change the nodes that it makes, or only who has its `auth`.
  Session(std::function<std::unique_lock<std::mutex>()> lock, std::function<void()> wake_locked,
          bool for_all = true)
      : lock_(std::move(lock)),
        wake_locked_(std::move(wake_locked)),
        acl_(for_all ? ZOO_OPEN_ACL_UNSAFE : ZOO_CREATOR_ALL_ACL) {}
  ~Session() {
    if (handle_ != nullptr) zookeeper_close(handle_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// False: errno says why. A refused `auth` shows by the session's state.
  bool open(const std::string& hosts, std::chrono::milliseconds timeout,
            const std::string& scheme = {}, const std::string& auth = {}) {
    handle_ = zookeeper_init2(hosts.c_str(), &on_event, static_cast<int>(timeout.count()), nullptr,
                              this, ZOO_NO_LOG_CLIENTENV, &discard);
    if (handle_ == nullptr) return false;
    // It is sent with each connection, before anything else.
    return scheme.empty() || zoo_add_auth(handle_, scheme.c_str(), auth.data(),
                                          static_cast<int>(auth.size()), nullptr, nullptr) == ZOK;
  }

  zhandle_t* handle() const noexcept { return handle_; }
  std::int64_t id() const noexcept { return zoo_client_id(handle_)->client_id; }

  struct News {
    int state = 0;
    std::set<std::string> changed;
  };
  News news() {
    const auto held = lock_();
    return {state_, std::exchange(changed_, {})};
  }

  // All send a call; the answer comes into what they return, which lives until it is forgotten.

  Answer& create(const std::string& path, std::string_view data, int mode) {
    return call([&](Answer& a) {
      return zoo_acreate(handle_, path.c_str(), data.data(), static_cast<int>(data.size()), &acl_,
                         mode, &on_string, &a);
    });
  }
  Answer& remove(const std::string& path) {
    return call([&](Answer& a) { return zoo_adelete(handle_, path.c_str(), -1, &on_void, &a); });
  }
  /// Deletes the node and makes it again, as one change.
  Answer& renew(const std::string& path, std::string_view data) {
    return call([&](Answer& a) {
      zoo_delete_op_init(&a.operations[0], path.c_str(), -1);
      zoo_create_op_init(&a.operations[1], path.c_str(), data.data(), static_cast<int>(data.size()),
                         &acl_, ZOO_EPHEMERAL, a.made.data(), static_cast<int>(a.made.size()));
      return zoo_amulti(handle_, 2, a.operations.data(), a.results.data(), &on_void, &a);
    });
  }
  Answer& look(const std::string& path, bool watched) {
    return call([&](Answer& a) {
      return zoo_awexists(handle_, path.c_str(), watched ? &on_event : nullptr, this, &on_stat, &a);
    });
  }
  Answer& list(const std::string& path) {
    return call([&](Answer& a) {
      return zoo_awget_children(handle_, path.c_str(), &on_event, this, &on_names, &a);
    });
  }
  Answer& get(const std::string& path) {
    return call(
        [&](Answer& a) { return zoo_awget(handle_, path.c_str(), &on_event, this, &on_data, &a); });
  }
  /// The children of `path`: none if it is not there. Either way a watch tells of a change. `wait`
  /// gives the code of an Answer, ZCLOSING if it has not come: that stays until the session ends.
  template <class Wait>
  int list_or_await(const std::string& path, Wait wait, std::vector<std::string>& names) {
    for (;;) {
      Answer& listed = list(path);
      const int rc = wait(listed);
      if (rc == ZOK) names = std::move(listed.names);
      if (rc != ZCLOSING) forget(listed);
      if (rc != ZNONODE) return rc;
      Answer& looked = look(path, true);
      const int exists = wait(looked);
      if (exists != ZCLOSING) forget(looked);
      if (exists == ZNONODE) return ZOK;
      if (exists != ZOK) return exists;
    }
  }
  void forget(Answer& answer) {
    answers_.remove_if([&](const Answer& one) { return &one == &answer; });
  }

 private:
  template <class F>
  Answer& call(F send) {
    Answer& answer = answers_.emplace_front();
    answer.session = this;
    if (const int rc = send(answer); rc != ZOK) {
      answer.rc = rc;  // nothing was sent, nothing will come
      answer.there = true;
    }
    return answer;
  }

  template <class F>
  static void put_down(const void* data, int rc, F more) {
    Answer& answer = *static_cast<Answer*>(const_cast<void*>(data));
    Session& session = *answer.session;
    const auto held = session.lock_();
    if (rc == ZOK) more(answer);
    answer.rc = rc;
    answer.there = true;
    session.wake_locked_();
  }
  static void on_void(int rc, const void* data) {
    put_down(data, rc, [](Answer&) {});
  }
  static void on_string(int rc, const char*, const void* data) {
    put_down(data, rc, [](Answer&) {});
  }
  static void take(Answer& answer, const Stat* stat) {
    answer.owner = stat->ephemeralOwner;
    answer.created = stat->czxid;
  }
  static void on_stat(int rc, const Stat* stat, const void* data) {
    put_down(data, rc, [&](Answer& answer) { take(answer, stat); });
  }
  static void on_names(int rc, const String_vector* names, const void* data) {
    put_down(data, rc,
             [&](Answer& answer) { answer.names.assign(names->data, names->data + names->count); });
  }
  static void on_data(int rc, const char* value, int size, const Stat* stat, const void* data) {
    put_down(data, rc, [&](Answer& answer) {
      if (size > 0) answer.data.assign(value, static_cast<std::size_t>(size));
      take(answer, stat);
    });
  }
  static void on_event(zhandle_t*, int type, int state, const char* path, void* self) {
    Session& session = *static_cast<Session*>(self);
    const auto held = session.lock_();
    if (type == ZOO_SESSION_EVENT) {
      session.state_ = state;
    } else if (path != nullptr) {
      session.changed_.insert(path);
    }
    session.wake_locked_();
  }

  const std::function<std::unique_lock<std::mutex>()> lock_;
  const std::function<void()> wake_locked_;
  const ACL_vector acl_;
  zhandle_t* handle_ = nullptr;
  std::list<Answer> answers_;
  // Under the keeper's lock.
  int state_ = 0;
  std::set<std::string> changed_;
};

}  // namespace settee::inline v0::rpc::registry::zookeeper
