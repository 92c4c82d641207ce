// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/keeper.h"

#include <fmt/format.h>
#include <pthread.h>

#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry {

namespace {

using Reason = settee::detail::Parking::Reason;

constexpr std::string_view kComponent = "registry";
// After a failure that nobody foresaw: the thread must not spin.
constexpr std::chrono::seconds kAfterSurprise{1};
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

Keeper::Keeper(Runtime& runtime, std::string address)
    : runtime_(runtime), address_(std::move(address)) {}

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
  std::string status() const override {
    std::string trouble = keeper_->trouble();
    return trouble.empty() ? "connected" : trouble;
  }

  Task<void> publish(ServiceKey key, Provider provider) override {
    return publish(keeper_, runtime_, std::move(key), std::move(provider));
  }
  Task<void> withdraw(ServiceKey key, Provider provider) override {
    return withdraw(keeper_, runtime_, std::move(key), std::move(provider));
  }

  Watch watch(ServiceKey key, ConsumerInfo consumer, Listener listener) override {
    if (key.interface_name.empty() || !listener) {
      throw Error(Code::kInvalidArgument,
                  fmt::format("watch {} in {}: there is no {}", key.unique_name(), address(),
                              listener ? "interface name" : "listener"));
    }
    auto listening = std::make_shared<Listening>(runtime_, std::move(key), std::move(listener));
    const auto end = [keeper = keeper_, listening](void*) {
      listening->end();
      keeper->post([keeper = keeper.get(), listening] { keeper->end(listening); });
    };
    const Watch watch(listening.get(), end);
    keeper_->post([keeper = keeper_.get(), listening, consumer = std::move(consumer)] {
      keeper->begin(listening, consumer);
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

  const std::shared_ptr<Keeper> keeper_;
  Runtime& runtime_;
};

}  // namespace

std::shared_ptr<Registry> make_registry(std::shared_ptr<Keeper> keeper, Runtime& runtime) {
  return std::make_shared<KeptRegistry>(std::move(keeper), runtime);
}

}  // namespace settee::inline v0::rpc::registry
