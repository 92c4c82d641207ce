// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/keeper.h"

#include <fmt/format.h>

#include <pthread.h>
#include <algorithm>

#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry {

namespace {

using Reason = settee::detail::Parking::Reason;

constexpr std::string_view kComponent = "registry";
// After a failure that nobody foresaw: the thread must not spin.
constexpr std::chrono::seconds kAfterSurprise{1};
// So long a registry may take to answer before the disk is asked, unless it is known to be away.
constexpr std::chrono::seconds kAnswerTime{1};
// The farthest that a condition variable is asked to wait: far from any overflow.
constexpr std::chrono::hours kFarthest{1};

}  // namespace

void Ticket::settle(std::optional<Error> error) noexcept {
  if (std::exchange(slip_->settled, true)) return;
  slip_->error = std::move(error);
  settee::detail::Parking::wake(waker_);
}

void settle(Tickets& tickets, const std::optional<Error>& error) {
  for (const std::shared_ptr<Ticket>& ticket : std::exchange(tickets, {})) {
    ticket->settle(error ? std::optional(error->within(ticket->what())) : std::nullopt);
  }
}

void Listening::tell(Providers all) {
  Registry::Listener ended;  // destroyed without the lock: it may own anything
  const std::unique_lock held(running_);
  if (ended_ || (told_ && *told_ == all)) return;
  told_ = std::move(all);
  teller_ = std::this_thread::get_id();
  try {
    listener_(*told_);
  } catch (...) {
    runtime_.log(LogLevel::kError, kComponent,
                 fmt::format("the listener of {} threw: {}", key_.unique_name(),
                             settee::detail::current_error().what()));
  }
  teller_ = std::thread::id();
  if (ended_) ended = std::move(listener_);
}

void Listening::end() {
  if (teller_ == std::this_thread::get_id()) {  // within the listener: tell() holds the lock
    ended_ = true;
    return;
  }
  Registry::Listener ended;
  const std::unique_lock held(running_);
  ended_ = true;
  ended = std::move(listener_);
}

Keeper::Keeper(Runtime& runtime, std::string address, const RegistryOptions& options)
    : runtime_(runtime), address_(std::move(address)) {
  if (options.backup_directory.empty()) return;
  backup_ = std::make_unique<Backup>(options.backup_directory, address_,
                                     [&runtime](LogLevel level, const std::string& message) {
                                       runtime.log(level, kComponent, message);
                                     });
}

Keeper::~Keeper() = default;

void Keeper::start() {
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
}

void Keeper::stop() noexcept {
  {
    const std::unique_lock held = lock();
    stopping_ = true;
    changed_.notify_all();
  }
  const std::unique_lock alone(joining_);
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // the last owner went within a listener; run() holds us
  } else {
    thread_.join();
  }
}

bool Keeper::post(std::function<void()> work) {
  const std::unique_lock held = lock();
  if (stopping_) return false;
  posted_.push_back(std::move(work));
  changed_.notify_all();
  return true;
}

void Keeper::run() {
  pthread_setname_np(pthread_self(), "settee-registry");
  for (;;) {
    std::deque<std::function<void()>> work;
    {
      const std::unique_lock held = lock();
      if (stopping_) break;
      work.swap(posted_);
      woken_ = false;
    }
    TimePoint next = Clock::now() + kAfterSurprise;
    try {
      for (std::function<void()>& one : work) std::exchange(one, nullptr)();
      next = std::min(step(), Clock::now() + kFarthest);
      next = std::min(next, recall());
    } catch (...) {
      log(LogLevel::kError, fmt::format("{}: {}; it goes on in a second", address_,
                                        settee::detail::current_error().what()));
    }
    std::unique_lock held = lock();
    changed_.wait_until(held, next, [this] { return stopping_ || woken_ || !posted_.empty(); });
  }
  std::deque<std::function<void()>> unheard;
  {
    const std::unique_lock held = lock();
    unheard.swap(posted_);
  }
  try {
    finish();
  } catch (...) {
    log(LogLevel::kError,
        fmt::format("{}: stopping: {}", address_, settee::detail::current_error().what()));
  }
  backup_.reset();
}

void Keeper::watch(const std::shared_ptr<Listening>& listening, const ConsumerInfo& consumer) {
  if (backup_ != nullptr) unanswered_.push_back({listening, Clock::now() + kAnswerTime});
  begin(listening, consumer);
}

void Keeper::unwatch(const std::shared_ptr<Listening>& listening) {
  std::erase_if(unanswered_, [&](const Unanswered& one) { return one.listening == listening; });
  end(listening);
}

void Keeper::tell(const Listenings& listenings, const Providers& all) {
  if (listenings.empty()) return;
  // A listener may end its watch, or another, or begin one: that is posted.
  for (const std::shared_ptr<Listening>& listening : listenings) {
    std::erase_if(unanswered_, [&](const Unanswered& one) { return one.listening == listening; });
    listening->tell(all);
  }
  if (backup_ != nullptr) backup_->keep(listenings.front()->key().interface_name, all);
}

TimePoint Keeper::recall() {
  if (unanswered_.empty()) return kNoDeadline;
  bool away = false;
  {
    const std::unique_lock held = lock();
    away = !trying_.empty() && !failing_.empty();
  }
  TimePoint next = kNoDeadline;
  for (const Unanswered& one : std::exchange(unanswered_, {})) {
    if (away || Clock::now() >= one.until) {
      recall(*one.listening);
    } else {
      next = std::min(next, one.until);
      unanswered_.push_back(one);
    }
  }
  return next;
}

void Keeper::recall(Listening& listening) {
  const std::string& name = listening.key().interface_name;
  std::optional<Backup::Memory> memory = backup_->load(name);
  if (!memory) return;
  if (recalled_.insert(name).second) {
    const auto age = std::chrono::system_clock::now() - memory->written;
    log(LogLevel::kWarning,
        fmt::format("{} has not answered ({}); until it does, its {} provider(s) of {} of {} ago "
                    "are used, from {}",
                    address_, status(), memory->providers.size(), name,
                    in_words(std::chrono::duration_cast<std::chrono::milliseconds>(age)),
                    memory->path));
  }
  listening.tell(std::move(memory->providers));
}

Task<void> Keeper::ask(std::shared_ptr<Keeper> keeper, std::string what, Request request) {
  const auto slip = std::make_shared<Ticket::Slip>();
  settee::detail::Parking parking;
  {
    // Nobody but the work keeps the ticket: if it is dropped unheard, the wait ends.
    auto ticket = std::make_shared<Ticket>(slip, parking.waker(), what);
    keeper->post([request = std::move(request), ticket = std::move(ticket)]() mutable {
      request(std::move(ticket));
    });
  }
  const Reason reason = co_await parking.wait();
  if (reason == Reason::kWoken) {
    if (slip->error) co_await fail(*slip->error);
    co_return;
  }
  std::string trouble = keeper->trouble();
  if (trouble.empty()) trouble = "no answer yet";
  co_await fail(settee::detail::Parking::error(
      reason, fmt::format("{} ({}; it goes on trying)", what, trouble)));
}

void Keeper::wake() noexcept {
  const std::unique_lock held = lock();
  wake_locked();
}

bool Keeper::stopping() const {
  const std::unique_lock held = lock();
  return stopping_;
}

void Keeper::trouble(std::string text, bool say) {
  {
    const std::unique_lock held = lock();
    trouble_ = text;
    if (text.empty()) said_.clear();
    if (!say || text == said_) return;
    said_ = text;
  }
  log(LogLevel::kWarning, fmt::format("{}: {}", address_, text));
}

std::string Keeper::trouble() const {
  const std::unique_lock held = lock();
  return trouble_;
}

void Keeper::trying(std::string what, std::string event) {
  const std::unique_lock held = lock();
  const TimePoint now = Clock::now();
  if (trying_.empty()) {
    trying_since_ = now;
    event_.clear();
  }
  if (trying_ != what) failing_.clear();
  trying_ = std::move(what);
  if (event.empty()) return;
  event_ = std::move(event);
  event_at_ = now;
}

void Keeper::failing(std::string why) {
  const std::unique_lock held = lock();
  failing_ = std::move(why);
}

void Keeper::connected(std::string note) {
  const std::unique_lock held = lock();
  trying_.clear();
  failing_.clear();
  note_ = std::move(note);
}

std::string Keeper::status() const {
  const std::unique_lock held = lock();
  if (stopping_) return "stopped";
  if (trying_.empty()) {
    std::string text = "connected";
    if (!note_.empty()) text += "; " + note_;
    if (!trouble_.empty()) text += "; " + trouble_;
    return text;
  }
  const auto since = [](TimePoint then) {
    return in_words(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then));
  };
  std::string text;
  if (!event_.empty()) text = fmt::format("{} {} ago, ", event_, since(event_at_));
  text += fmt::format("{} for {}", trying_, since(trying_since_));
  if (!failing_.empty()) text += ": " + failing_;
  return text;
}

void Keeper::log(LogLevel level, const std::string& message) const {
  runtime_.log(level, kComponent, message);
}

namespace {

class KeptRegistry final : public Registry {
 public:
  KeptRegistry(std::shared_ptr<Keeper> keeper, Runtime& runtime)
      : keeper_(std::move(keeper)), runtime_(runtime) {
    keeper_->start();
  }
  ~KeptRegistry() override { keeper_->stop(); }

  const std::string& address() const noexcept override { return keeper_->address(); }
  std::string status() const override { return keeper_->status(); }

  Task<void> publish(ServiceKey key, Provider provider) override {
    return publish(keeper_, runtime_, std::move(key), std::move(provider));
  }
  Task<void> withdraw(ServiceKey key, Provider provider) override {
    return withdraw(keeper_, runtime_, std::move(key), std::move(provider));
  }

  Task<std::vector<std::string>> interfaces() override { return interfaces(keeper_, runtime_); }

  Watch watch(ServiceKey key, ConsumerInfo consumer, Listener listener) override {
    if (key.interface_name.empty() || !listener) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("watch {} in {}: there is no {}", key.unique_name(), address(),
                              listener ? "interface name" : "listener"));
    }
    auto listening = std::make_shared<Listening>(runtime_, std::move(key), std::move(listener));
    const auto end = [keeper = keeper_, listening](void*) {
      listening->end();
      keeper->post([keeper = keeper.get(), listening] { keeper->unwatch(listening); });
    };
    const Watch watch(listening.get(), end);
    keeper_->post([keeper = keeper_.get(), listening, consumer = std::move(consumer)] {
      keeper->watch(listening, consumer);
    });
    return watch;
  }

  void stop() override {
    settee::detail::check_may_block("Registry::stop");
    keeper_->stop();
  }

 private:
  // By value: the registry may end while they wait.
  static Task<void> publish(std::shared_ptr<Keeper> keeper, Runtime& runtime, ServiceKey key,
                            Provider provider) {
    Result<Provider> complete = announced(key, provider);
    if (!complete) co_await fail(complete.error());
    // A deadline is watched by a loop.
    if (Loop::current() == nullptr) co_await resume_on(runtime.loop());
    std::string what = fmt::format("publish {} at {} in {}", key.unique_name(),
                                   provider.endpoint.to_string(), keeper->address());
    Keeper* const place = keeper.get();
    Keeper::Request request = [place, key,
                               given = *std::move(complete)](std::shared_ptr<Ticket> ticket) {
      place->publish(key, given, std::move(ticket));
    };
    co_await Keeper::ask(std::move(keeper), std::move(what), std::move(request));
  }

  static Task<void> withdraw(std::shared_ptr<Keeper> keeper, Runtime& runtime, ServiceKey key,
                             Provider provider) {
    if (Loop::current() == nullptr) co_await resume_on(runtime.loop());
    std::string what = fmt::format("withdraw {} at {} from {}", key.unique_name(),
                                   provider.endpoint.to_string(), keeper->address());
    Keeper* const place = keeper.get();
    Keeper::Request request = [place, key, provider](std::shared_ptr<Ticket> ticket) {
      place->withdraw(key, provider, std::move(ticket));
    };
    co_await Keeper::ask(std::move(keeper), std::move(what), std::move(request));
  }

  static Task<std::vector<std::string>> interfaces(std::shared_ptr<Keeper> keeper,
                                                   Runtime& runtime) {
    if (Loop::current() == nullptr) co_await resume_on(runtime.loop());
    const auto names = std::make_shared<std::vector<std::string>>();
    Keeper* const place = keeper.get();
    Keeper::Request request = [place, names](std::shared_ptr<Ticket> ticket) {
      place->interfaces(names, std::move(ticket));
    };
    std::string what = fmt::format("listing the interfaces of {}", keeper->address());
    Task<void> asked = Keeper::ask(std::move(keeper), std::move(what), std::move(request));
    co_await std::move(asked);
    std::sort(names->begin(), names->end());
    co_return *names;
  }

  const std::shared_ptr<Keeper> keeper_;
  Runtime& runtime_;
};

}  // namespace

std::shared_ptr<Registry> make_registry(std::shared_ptr<Keeper> keeper, Runtime& runtime) {
  return std::make_shared<KeptRegistry>(std::move(keeper), runtime);
}

}  // namespace settee::inline v0::rpc::registry
