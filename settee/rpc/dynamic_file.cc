// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A YAML file as a source of dynamic configuration.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <system_error>
#include <thread>

#include "settee/base/config.h"
#include "settee/base/detail/descriptor.h"
#include "settee/base/reflect.h"
#include "settee/rpc/internal/config_keys.h"
#include "settee/rpc/internal/dynamic_store.h"

namespace settee::inline v0::rpc {

namespace {

using settee::detail::Descriptor;
using std::chrono::milliseconds;

// Between the two looks that must show the same.
constexpr milliseconds kSettle{50};
constexpr std::chrono::hours kLongest{24};  // between two looks

class DynamicFile final : public DynamicStore {
 public:
  DynamicFile(Runtime& runtime, std::string url, std::string path, milliseconds scan_period)
      : DynamicStore(runtime, std::move(url)), path_(std::move(path)), scan_period_(scan_period) {
    if (stop_.get() < 0) {
      throw Error(Code::kIo, fmt::format("dynamic configuration '{}': eventfd: {}", address(),
                                         std::system_category().message(errno)));
    }
    Result<std::string> text = read();
    if (!text) throw text.error();
    if (Result<void> applied = apply(*text); !applied) throw applied.error();
    seen_ = *std::move(text);
    thread_ = std::thread([this] { run(); });
  }
  ~DynamicFile() override { stop(); }

  void stop() override {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_.get(), &one, sizeof one));
    const std::lock_guard alone(joining_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    pthread_setname_np(pthread_self(), "settee-dynamic");
    // The folder, as editors and deployers put a new file in the place of the old one. Without it
    // (no inotify, a network's file system) the scan finds changes.
    const Descriptor notify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (notify.get() >= 0) {
      const std::string folder = std::filesystem::path(path_).parent_path();
      ::inotify_add_watch(notify.get(), folder.c_str(),
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM);
    }
    TimePoint due = Clock::now() + kSettle;  // it may have changed before the folder was watched
    for (;;) {
      std::array<pollfd, 2> waited{{{stop_.get(), POLLIN, 0}, {notify.get(), POLLIN, 0}}};
      const auto left = std::chrono::ceil<milliseconds>(due - Clock::now()).count();
      ::poll(waited.data(), waited.size(),
             static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max())));
      if (waited[0].revents != 0) return;
      if (!concerned(notify.get()) && Clock::now() < due) continue;
      milliseconds wait = scan_period_;
      try {
        if (!look()) wait = std::min(kSettle, scan_period_);
      } catch (...) {
        log(LogLevel::kError, fmt::format("{}: {}; it goes on with the next look", path_,
                                          settee::detail::current_error().what()));
      }
      due = Clock::now() + std::min<milliseconds>(wait, kLongest);
    }
  }

  /// Takes what the folder tells; true if it may be about the file. What a link leads through (the
  /// "..data" of a ConfigMap) has other names.
  bool concerned(int notify) const {
    const std::string name = std::filesystem::path(path_).filename();
    bool any = false;
    bool ours = false;
    alignas(inotify_event) std::array<char, 4096> events;
    for (ssize_t got = 0;
         notify >= 0 && (got = ::read(notify, events.data(), events.size())) > 0;) {
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
        ours = ours || event->len == 0 || name == event->name;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
      any = true;
    }
    std::error_code none;
    return ours || (any && std::filesystem::is_symlink(path_, none));
  }

  /// False: it has changed and is to be looked at once more.
  bool look() {
    Result<std::string> text = read();
    if (!text) {
      pending_.reset();
      if (failed_ != text.error().message()) {
        failed_ = text.error().message();
        unreadable(path_, failed_);
      }
      return true;
    }
    if (*text == seen_) {
      pending_.reset();
      if (!std::exchange(failed_, {}).empty()) trouble({});
      return true;
    }
    if (pending_ != *text) {
      pending_ = *std::move(text);
      pending_at_ = Clock::now();
      return false;
    }
    if (Clock::now() - pending_at_ < kSettle) return false;  // an event has come in between
    pending_.reset();
    Result<void> applied = apply(*text);
    if (!applied && failed_ == applied.error().message()) return true;
    failed_ = applied ? std::string() : std::string(applied.error().message());
    if (applied) {
      trouble({});
      seen_ = *std::move(text);
    } else {
      unreadable(path_, failed_);
    }
    return true;
  }

  Result<std::string> read() const {
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    const std::size_t most = ConfigLimits().max_bytes;
    for (std::array<char, 16384> chunk; text.size() <= most;) {
      const ssize_t got = file.get() < 0 ? -1 : ::read(file.get(), chunk.data(), chunk.size());
      if (got < 0 && file.get() >= 0 && errno == EINTR) continue;
      if (got < 0) {
        return Error(Code::kConfig,
                     fmt::format("read {}: {}", path_, std::system_category().message(errno)));
      }
      if (got == 0) break;
      text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;  // Config refuses what is too long
  }

  Result<void> apply(const std::string& text) {
    if (text.empty() && !values().empty()) {
      return Error(Code::kConfig, fmt::format("{}: it is empty, as while it is being written; {{}} "
                                              "says that nothing is set",
                                              path_));
    }
    Result<Config> config = Config::parse(text, path_);
    if (!config) return config.error();
    using Values = std::map<std::string, std::string>;
    Result<Configured<Values>> bound = bind_with_origins<Values>(*config, "");
    if (!bound) return bound.error();
    Offers all;
    for (auto& [key, value] : bound->value) {
      all[key] = {value, std::string(bound->origins.of(config_path("", key)))};
    }
    take(all);
    return {};
  }

  const std::string path_;
  const milliseconds scan_period_;
  const Descriptor stop_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex joining_;
  std::thread thread_;
  // The thread's.
  std::string seen_;                    // what was applied last
  std::optional<std::string> pending_;  // what the last look has shown, if that is new
  TimePoint pending_at_;                // when it was first seen
  std::string failed_;                  // why the last content was not applied
};

}  // namespace

std::shared_ptr<DynamicConfig> open_dynamic_file(Runtime& runtime, std::string_view url,
                                                 const DynamicConfigOptions& options) {
  const std::string_view path = url.substr(std::string_view("file://").size());
  if (!path.starts_with('/') || path.ends_with('/')) {
    throw Error(Code::kInvalidArgument,
                fmt::format("dynamic configuration '{}': expected file:///path/of/a/file", url));
  }
  return std::make_shared<DynamicFile>(runtime, std::string(url), std::string(path),
                                       options.scan_period);
}

}  // namespace settee::inline v0::rpc
