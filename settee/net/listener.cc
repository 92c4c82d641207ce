// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "settee/base/stats.h"

namespace settee::inline v0::net {

namespace {

void set_options(int fd, int family) {
  if (family == AF_UNIX) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

SocketAddress own_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return {reinterpret_cast<const sockaddr*>(&storage), size};
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

struct Listener::Impl final : Watcher, Timer, std::enable_shared_from_this<Impl> {
  Impl(Runtime& r, Accepted a)
      : runtime(r),
        accepted(std::move(a)),
        failures(r.stats().counter("settee.net.accept_failures", "1",
                                   "Times that accepting failed and paused for a while")) {}

  Runtime& runtime;
  Accepted accepted;
  Counter& failures;
  Loop* loop = nullptr;  // accepts here, deals out to all
  int fd = -1;
  int reserve = -1;      // given up to refuse a connection when descriptors run out
  SocketAddress address;
  std::string unix_path;
  std::size_t next = 0;

  std::mutex mutex;
  std::condition_variable quiet;
  std::size_t dealt = 0;  // handed to a loop, not yet arrived
  bool stopped = false;

  ~Impl() override { close_socket(); }

  void close_socket() {
    if (fd >= 0) {
      ::close(std::exchange(fd, -1));
      if (!unix_path.empty()) ::unlink(unix_path.c_str());
    }
    if (reserve >= 0) ::close(std::exchange(reserve, -1));
  }

  void on_events(std::uint32_t) override { accept_some(); }
  void on_timer() override { accept_some(); }

  void accept_some() {
    // Bounded, so that a flood of connections leaves room for those that are there.
    for (int i = 0; i < 64; ++i) {
      if (fd < 0) return;
      sockaddr_storage storage{};
      socklen_t size = sizeof storage;
      const int made = ::accept4(fd, reinterpret_cast<sockaddr*>(&storage), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (made < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno == EINTR || errno == ECONNABORTED) continue;
        const int error = errno;
        if ((error == EMFILE || error == ENFILE) && reserve >= 0) {
          // Take it and drop it: left in the queue, it would keep its client waiting.
          ::close(std::exchange(reserve, -1));
          const int dropped = ::accept(fd, nullptr, nullptr);
          if (dropped >= 0) ::close(dropped);
          reserve = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
        failures.add();
        runtime.log(LogLevel::kError, "net",
                    fmt::format("accepting on {}: {}; trying again in 100 ms (ulimit -n shows the "
                                "limit of open files)",
                                address.to_string(), std::strerror(error)));
        arm(*loop, loop->now() + std::chrono::milliseconds(100));
        return;
      }
      const SocketAddress peer(reinterpret_cast<const sockaddr*>(&storage), size);
      set_options(made, peer.family());
      deal(Socket(made, peer));
    }
    arm(*loop, loop->now());
  }

  void deal(Socket socket) {
    Loop& target = runtime.loop_count() == 0 ? *loop : runtime.loop(next++ % runtime.loop_count());
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
      ++dealt;
    }
    if (&target == loop) {
      arrive(target, std::move(socket));
      return;
    }
    target.post([self = shared_from_this(), &target,
                 held = std::make_shared<Socket>(std::move(socket))] {
      self->arrive(target, std::move(*held));
    });
  }

  void arrive(Loop& target, Socket socket) {
    bool wanted = false;
    {
      const std::lock_guard lock(mutex);
      wanted = !stopped;
    }
    if (wanted) accepted(target, std::move(socket));
    const std::lock_guard lock(mutex);
    if (--dealt == 0) quiet.notify_all();
  }
};

Listener::Listener(Runtime& runtime, const ListenerOptions& options, Accepted accepted)
    : impl_(std::make_shared<Impl>(runtime, std::move(accepted))) {
  const auto wrong = [&](const char* step) {
    const int error = errno;
    std::string hint;
    if (error == EADDRINUSE) hint = "; another process uses it (ss -ltnp shows which)";
    if (error == EACCES) hint = "; ports below 1024 need a privilege";
    return Error(Code::kIo, fmt::format("listening on {}: {}: {}{}", options.endpoint.to_string(),
                                        step, std::strerror(error), hint));
  };
  Result<std::vector<SocketAddress>> addresses = resolve_numeric(options.endpoint);
  if (!addresses) throw addresses.error();
  if (addresses->empty()) {
    throw Error(Code::kInvalidArgument,
                fmt::format("listening on {}: give a numeric address (0.0.0.0 or [::] for all)",
                            options.endpoint.to_string()));
  }
  const SocketAddress& address = addresses->front();
  Impl& impl = *impl_;
  impl.fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (impl.fd < 0) throw wrong("socket");
  const int on = 1;
  if (address.family() != AF_UNIX) {
    setsockopt(impl.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  } else {
    // A socket file that a dead process left is replaced, one that is served is not.
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0) {
      if (::connect(probe, address.get(), address.size()) != 0 && errno == ECONNREFUSED) {
        ::unlink(options.endpoint.host.c_str());
      }
      ::close(probe);
    }
  }
  if (::bind(impl.fd, address.get(), address.size()) != 0) throw wrong("bind");
  if (address.family() == AF_UNIX) impl.unix_path = options.endpoint.host;
  if (::listen(impl.fd, options.backlog) != 0) throw wrong("listen");
  impl.reserve = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  impl.address = own_address(impl.fd);
  impl.loop = runtime.loop_count() == 0 ? &runtime.foreign_loop() : &runtime.loop(0);
  impl.loop->post([self = impl_] {
    const std::lock_guard lock(self->mutex);
    if (!self->stopped) self->loop->watch(self->fd, EPOLLIN, *self);
  });
}

Listener::~Listener() { stop(); }

const SocketAddress& Listener::address() const noexcept { return impl_->address; }

void Listener::stop() {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    if (impl.stopped) return;
    impl.stopped = true;
    ++impl.dealt;  // our own farewell on the loop
  }
  const auto farewell = [self = impl_] {
    if (self->fd >= 0) self->loop->unwatch(self->fd);
    self->disarm();
    self->close_socket();
    self->loop->delete_later(self);
    const std::lock_guard lock(self->mutex);
    if (--self->dealt == 0) self->quiet.notify_all();
  };
  if (impl.runtime.stopped() || impl.loop->in_loop() || impl.runtime.loop_count() == 0) {
    farewell();
    return;
  }
  impl.loop->post(farewell);
  std::unique_lock lock(impl.mutex);
  impl.quiet.wait(lock, [&] { return impl.dealt == 0; });
}

namespace {

// Waits until a socket that connects is writable, a time, or the Context's deadline or cancellation.
class Connecting final : public Watcher,
                         public Timer,
                         public std::enable_shared_from_this<Connecting> {
 public:
  Connecting(int fd, TimePoint by, std::string what) : fd_(fd), by_(by), what_(std::move(what)) {}
  ~Connecting() override { finish(); }

  class Awaiter : public detail::NativeAwaiter {
   public:
    explicit Awaiter(Connecting& c) noexcept : connecting_(&c) {}
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> self) {
      connecting_->promise_ = &self.promise();
      connecting_->begin(self.promise().context);
    }
    void await_resume() const noexcept {}

   private:
    Connecting* connecting_;
  };
  Awaiter done() noexcept { return Awaiter(*this); }
  const std::optional<Error>& error() const noexcept { return error_; }

 private:
  void begin(const detail::ContextNode* node) {
    const Context context = Context::share(node);
    loop_ = Loop::current();
    loop_->watch(fd_, EPOLLOUT, *this);
    watching_ = true;
    by_deadline_ = context.deadline() < by_;
    arm(*loop_, std::min(by_, context.deadline()));
    if (std::stop_token token = context.stop_token(); token.stop_possible()) {
      // Cancelling may happen on any thread, even while this runs: it only posts.
      cancel_.emplace(std::move(token), [weak = weak_from_this(), loop = loop_] {
        loop->post([weak] {
          const auto self = weak.lock();
          if (self && self->watching_) {
            self->error_ = Error(Code::kCancelled, self->what_ + ": cancelled by the caller");
            self->wake();
          }
        });
      });
    }
  }
  void finish() noexcept {
    disarm();
    if (std::exchange(watching_, false)) loop_->unwatch(fd_);
  }
  void wake() {
    finish();
    if (promise_ != nullptr) detail::resume_now(*std::exchange(promise_, nullptr));
  }
  void on_events(std::uint32_t) override {
    if (!watching_) return;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) error_ = Error(Code::kConnectFailed, what_ + ": " + std::strerror(error));
    wake();
  }
  void on_timer() override {
    error_ = by_deadline_
                 ? Error(Code::kTimeout, what_ + ": the deadline came first")
                 : Error(Code::kConnectFailed, what_ + ": no answer within the connect timeout");
    wake();
  }

  int fd_;
  TimePoint by_;
  std::string what_;
  Loop* loop_ = nullptr;
  detail::PromiseBase* promise_ = nullptr;
  bool watching_ = false;
  bool by_deadline_ = false;
  std::optional<Error> error_;
  std::optional<std::stop_callback<std::function<void()>>> cancel_;
};

}  // namespace

Task<Socket> connect(SocketAddress address, Duration timeout) {
  Loop* loop = Loop::current();
  const std::string what = "connect to " + address.to_string();
  if (loop == nullptr) co_return Error(Code::kMisuse, what + ": not on a loop's thread");
  if (Result<void> may = context().check(what); !may) co_return may.error();
  Socket socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), address);
  if (socket.fd() < 0) {
    co_return Error(Code::kConnectFailed,
                    fmt::format("{}: socket: {} (see ulimit -n)", what, std::strerror(errno)));
  }
  set_options(socket.fd(), address.family());
  if (::connect(socket.fd(), address.get(), address.size()) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) {
      co_return Error(Code::kConnectFailed, what + ": " + std::strerror(errno));
    }
    // Kept until the turn's end, as this turn's events may still name it.
    const auto connecting = std::make_shared<Connecting>(socket.fd(), loop->now() + timeout, what);
    co_await connecting->done();
    loop->delete_later(connecting);
    if (connecting->error()) co_return *connecting->error();
  }
  co_return socket;
}

}  // namespace settee::inline v0::net
