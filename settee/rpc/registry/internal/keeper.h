// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeper: the thread that every registry has. All that a registry knows belongs to this thread:
// what users ask for is posted to it, what happens outside wakes it, and it calls the listeners.
//
// Threads: as said at each member. The thread holds the Keeper, so whatever is still running when
// the last user lets go ends safely.

#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "settee/base/detail/parking.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/registry/internal/backup.h"

namespace settee::inline v0::rpc::registry {

/// The answer that a publish() or withdraw() waits for. The keeper's side; when its last owner lets
/// go of it without an answer, that is an Error (kStopped).
class Ticket {
 public:
  struct Slip {
    std::optional<Error> error;
    bool settled = false;  // keeper's thread
  };
  using Waker = std::shared_ptr<settee::detail::Parking::State>;
  /// The waiter's Parking ends on its own loop: only what wakes it is shared.
  Ticket(std::shared_ptr<Slip> slip, Waker waker, std::string what)
      : slip_(std::move(slip)), waker_(std::move(waker)), what_(std::move(what)) {}
  ~Ticket() { settle(Error(Code::kStopped, what_ + ": the registry was stopped")); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  /// What is asked for, for messages: "publish com.acme.Quotes:1.0 in zookeeper://...".
  const std::string& what() const noexcept { return what_; }
  /// The first answer counts.
  void settle(std::optional<Error> error = std::nullopt) noexcept;

 private:
  const std::shared_ptr<Slip> slip_;
  const Waker waker_;
  const std::string what_;
};
using Tickets = std::vector<std::shared_ptr<Ticket>>;
/// Settles and forgets them.
void settle(Tickets& tickets, const std::optional<Error>& error = std::nullopt);

/// One watch.
class Listening {
 public:
  Listening(Runtime& runtime, ServiceKey key, Registry::Listener listener)
      : runtime_(runtime), key_(std::move(key)), listener_(std::move(listener)) {}
  const ServiceKey& key() const noexcept { return key_; }
  /// Keeper's thread: calls the listener if this is not what it was told last.
  void tell(Providers all);
  /// From any thread: when this returns the listener does not run and never will, except that it is
  /// the listener itself that calls this.
  void end();

 private:
  Runtime& runtime_;
  const ServiceKey key_;
  std::mutex running_;  // held while the listener runs
  std::atomic<std::thread::id> teller_{};
  Registry::Listener listener_;
  bool ended_ = false;
  std::optional<Providers> told_;
};

using Listenings = std::vector<std::shared_ptr<Listening>>;

class Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  Keeper(Runtime& runtime, std::string address, const RegistryOptions& options);
  virtual ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  const std::string& address() const noexcept { return address_; }
  /// What is in the way now; empty: nothing.
  std::string trouble() const;
  /// Registry::status()
  std::string status() const;
  void start();
  /// From any thread. Waits until the thread has ended, unless it is the thread itself that calls.
  void stop() noexcept;
  /// Has `work` run on the thread. False, and nothing is run, after stop().
  bool post(std::function<void()> work);

  using Request = std::function<void(std::shared_ptr<Ticket>)>;
  /// Has `request` run on the thread and waits until its Ticket is settled, or until the Context
  /// ends the wait; then the Error says what was in the way.
  static Task<void> ask(std::shared_ptr<Keeper> keeper, std::string what, Request request);

  // What follows is for the thread.

  /// begin(), and what is on disk if the registry does not answer.
  void watch(const std::shared_ptr<Listening>& listening, const ConsumerInfo& consumer);
  void unwatch(const std::shared_ptr<Listening>& listening);

  using Names = std::shared_ptr<std::vector<std::string>>;
  virtual void interfaces(Names into, std::shared_ptr<Ticket> ticket) = 0;
  virtual void publish(const ServiceKey& key, const Provider& provider,
                       std::shared_ptr<Ticket> ticket) = 0;
  virtual void withdraw(const ServiceKey& key, const Provider& provider,
                        std::shared_ptr<Ticket> ticket) = 0;

 protected:
  virtual void begin(std::shared_ptr<Listening> listening, const ConsumerInfo& consumer) = 0;
  virtual void end(const std::shared_ptr<Listening>& listening) = 0;
  /// The registry's own answer: all that it lists of the interface that these listen to.
  void tell(const Listenings& listenings, const Providers& all);

  /// Does what there is to do; returns when it wants to be called again at the latest.
  virtual TimePoint step() = 0;
  /// The last thing on the thread: takes back what was published.
  virtual void finish() = 0;

  /// From any thread: step() is called soon.
  void wake() noexcept;
  /// Waits until `enough()`, which is called with lock() held, `until` or stop().
  template <class F>
  bool wait(std::unique_lock<std::mutex>& lock, TimePoint until, F enough) {
    return changed_.wait_until(lock, until, [&] { return stopping_ || enough(); }) && enough();
  }
  /// The same, whether stopping or not.
  template <class F>
  bool wait_anyhow(std::unique_lock<std::mutex>& lock, TimePoint until, F enough) {
    return changed_.wait_until(lock, until, enough);
  }
  std::unique_lock<std::mutex> lock() const { return std::unique_lock(mutex_); }
  /// With lock() held.
  void wake_locked() noexcept {
    woken_ = true;
    changed_.notify_all();
  }
  bool stopping() const;

  /// What is in the way now, for the errors of those who wait; empty: nothing. Logged if it is new
  /// and `say`.
  void trouble(std::string text, bool say = true);

  // For status().

  /// There is no connection: `what` is tried ("connecting to ..."), from now on unless it was
  /// already; `event`, if there is one, has just happened and is why ("session expired").
  void trying(std::string what, std::string event = {});
  /// Why it does not succeed.
  void failing(std::string why);
  /// It has. `note`: what else is worth knowing.
  void connected(std::string note = {});

  void log(LogLevel level, const std::string& message) const;

 private:
  /// Who has had no answer yet.
  struct Unanswered {
    std::shared_ptr<Listening> listening;
    TimePoint until;  // then the disk is asked
  };
  void run();
  /// Asks the disk for whom the registry does not answer; returns when it wants to be called again.
  TimePoint recall();
  void recall(Listening& listening);

  Runtime& runtime_;
  const std::string address_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> posted_;
  bool stopping_ = false;
  bool woken_ = false;
  std::string trouble_;
  std::string said_;
  std::string trying_;  // empty: connected
  TimePoint trying_since_{};
  std::string failing_;
  std::string event_;
  TimePoint event_at_{};
  std::string note_;
  std::mutex joining_;
  std::thread thread_;
  // On the thread.
  std::unique_ptr<Backup> backup_;  // none: nothing is kept
  std::vector<Unanswered> unanswered_;
  std::set<std::string> recalled_;  // interfaces whose lists from the disk were announced
};

/// The Registry that users hold.
std::shared_ptr<Registry> make_registry(std::shared_ptr<Keeper> keeper, Runtime& runtime);

std::shared_ptr<Keeper> make_file_keeper(Runtime& runtime, std::string_view url,
                                         const RegistryOptions& options);
std::shared_ptr<Keeper> make_zookeeper_keeper(Runtime& runtime, std::string_view url,
                                              const RegistryOptions& options);
std::shared_ptr<Keeper> make_etcd_keeper(Runtime& runtime, std::string_view url,
                                         const RegistryOptions& options);

}  // namespace settee::inline v0::rpc::registry
