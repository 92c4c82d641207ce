// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The local file: a registry for tests, for one machine, and for where there is none. Processes
// share it without talking to each other. It is looked at every scan_period: that is right on every
// file system, and a consumer that learns of a change two seconds late has lost nothing.
//
// Writing is done under <path>.lock, into a new file that then takes the name of the old one, so a
// reader sees all of a state or all of the next. The lock is Java SOFARPC's, a file that exists
// while somebody writes, and ours are held by flock() as well: a process that dies lets go at once.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "settee/base/detail/descriptor.h"
#include "settee/rpc/registry/internal/keeper.h"
#include "settee/rpc/registry/internal/lines.h"

namespace settee::inline v0::rpc::registry {

namespace {

using settee::detail::Descriptor;
using std::chrono::milliseconds;

// What marks a lock file as ours: if nobody holds it by flock() its process is dead.
constexpr std::string_view kOurs = "settee\n";
// After which Java SOFARPC takes a lock from whoever made it.
constexpr std::chrono::seconds kForeignLock{60};
// How soon a lock that somebody holds is tried again.
constexpr milliseconds kLockPause{20};
// A lock that is held so long is worth a line in the log.
constexpr std::chrono::seconds kLongLock{1};
// How long stop() tries to take back what was published.
constexpr std::chrono::seconds kLastTry{5};
// Files whose time is nearer than this may have changed again without showing it.
constexpr std::chrono::seconds kTimeGrain{2};
// A file that was emptied so recently is about to be written.
constexpr milliseconds kEmptied{200};
// Larger is no list of providers.
constexpr std::size_t kMostBytes = 64u << 20;

Error io_error(std::string_view step, const std::string& path) {
  return Error(Code::kIo, fmt::format("{} {}: {}", step, path, std::strerror(errno)));
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", path);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) {
      return Error(Code::kLimit,
                   fmt::format("read {}: it is larger than {} MiB, too large for a list "
                               "of providers",
                               path, kMostBytes >> 20));
    }
  }
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return io_error("write", path);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Holds <path>.lock.
class FileLock {
 public:
  explicit FileLock(std::string path) : path_(std::move(path)) {}
  ~FileLock() {
    if (held_) ::unlink(path_.c_str());
  }

  /// False: somebody else holds it.
  Result<bool> try_lock() {
    fd_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    const bool made = static_cast<bool>(fd_);
    if (!made) {
      if (errno != EEXIST) return io_error("lock", path_);
      fd_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
      if (!fd_) return errno == ENOENT ? Result<bool>(false) : io_error("lock", path_);
    }
    // Whoever looks at a lock that we have just made holds it for a moment only.
    if (::flock(fd_.get(), made ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK || errno == EINTR ? Result<bool>(false)
                                                    : io_error("flock", path_);
    }
    struct stat mine;
    struct stat named;
    if (::fstat(fd_.get(), &mine) != 0) return io_error("look at", path_);
    if (::stat(path_.c_str(), &named) != 0 || !same_file(mine, named)) return false;  // is gone
    if (!made) {
      Result<std::string> mark = read_all(fd_.get(), path_);
      if (!mark) return mark.error();
      if (*mark != kOurs && !is_old(mine)) return false;  // Java's
    }
    if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0) {
      return io_error("write", path_);
    }
    if (Result<void> marked = write_all(fd_.get(), kOurs, path_); !marked) return marked.error();
    held_ = true;
    return true;
  }

  /// Whether a writer that is not Settee has it: what it writes may be half there.
  static bool held_by_others(const std::string& path) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return false;
    struct stat status;
    if (::fstat(fd.get(), &status) != 0 || is_old(status)) return false;
    // An empty one may be ours, made a moment ago; that one is locked, or will be very soon.
    const Result<std::string> mark = read_all(fd.get(), path);
    return mark && *mark != kOurs;
  }

 private:
  static bool is_old(const struct stat& status) {
    return ::time(nullptr) - status.st_mtime > std::chrono::seconds(kForeignLock).count();
  }

  const std::string path_;
  Descriptor fd_;
  bool held_ = false;
};

class FileKeeper final : public Keeper {
 public:
  FileKeeper(Runtime& runtime, std::string address, std::string path,
             const RegistryOptions& options)
      : Keeper(runtime, std::move(address), options),
        path_(std::move(path)),
        lock_path_(path_ + ".lock"),
        scan_period_(options.scan_period) {
    trying("reading " + path_);
  }

  void publish(const ServiceKey& key, const Provider& provider,
               std::shared_ptr<Ticket> ticket) override {
    std::erase_if(published_, [&](const Published& one) {
      return one.key == key && same_address(one.provider, provider);
    });
    published_.push_back({key, provider});
    change({key, provider, true, std::move(ticket)});
  }

  void withdraw(const ServiceKey& key, const Provider& provider,
                std::shared_ptr<Ticket> ticket) override {
    const std::size_t removed = std::erase_if(published_, [&](const Published& one) {
      return one.key == key && same_address(one.provider, provider);
    });
    if (removed == 0) return ticket->settle();  // not ours to take away
    change({key, provider, false, std::move(ticket)});
  }

  void interfaces(Names into, std::shared_ptr<Ticket> ticket) override {
    const Result<std::string> text = read();
    if (!text) {
      ticket->settle(text.error());
      return;
    }
    *into = Lines::parse(*text, [](std::size_t, std::string_view) {}).interfaces();
    ticket->settle();
  }
  void begin(std::shared_ptr<Listening> listening, const ConsumerInfo&) override {
    if (known_) tell_one(listening);
    listenings_.push_back(std::move(listening));
    look_at_ = {};
  }

  void end(const std::shared_ptr<Listening>& listening) override {
    std::erase(listenings_, listening);
  }

 private:
  struct Published {
    ServiceKey key;
    Provider provider;
  };
  struct Change {
    ServiceKey key;
    Provider provider;
    bool put;
    std::shared_ptr<Ticket> ticket;  // none: nobody waits
  };

  TimePoint step() override {
    if (!changes_.empty() && Clock::now() >= write_at_) write();
    if (Clock::now() >= look_at_) look();
    return changes_.empty() ? look_at_ : std::min(look_at_, write_at_);
  }

  void finish() override {
    for (const Published& one : std::exchange(published_, {})) {
      changes_.push_back({one.key, one.provider, false, nullptr});
    }
    const TimePoint until = Clock::now() + kLastTry;
    while (!changes_.empty() && Clock::now() < until) {
      write();
      if (!changes_.empty()) std::this_thread::sleep_for(kLockPause);
    }
    if (changes_.empty()) return;
    log(LogLevel::kWarning, fmt::format("{}: stopped without taking back what was published: {}",
                                        address(), trouble()));
  }

  void change(Change change) {
    // What is asked for later holds.
    std::erase_if(changes_, [&](Change& earlier) {
      if (earlier.key != change.key || !same_address(earlier.provider, change.provider))
        return false;
      if (earlier.ticket != nullptr) {
        if (earlier.put == change.put) {
          also_.push_back(std::move(earlier.ticket));
        } else {
          earlier.ticket->settle(Error(
              Code::kCancelled, earlier.ticket->what() + ": the opposite was asked for meanwhile"));
        }
      }
      return true;
    });
    changes_.push_back(std::move(change));
    write_at_ = {};
  }

  void settle_changes(const std::optional<Error>& error) {
    Tickets waiting = std::exchange(also_, {});
    for (Change& change : std::exchange(changes_, {})) {
      if (change.ticket != nullptr) {
        waiting.push_back(std::move(change.ticket));
      } else if (error) {
        log(LogLevel::kWarning,
            fmt::format("{}: {} {} at {}: {}", address(), change.put ? "put back" : "take back",
                        change.key.unique_name(), change.provider.endpoint.to_string(),
                        error->message()));
      }
      // What could not be written is not published.
      if (error && change.put) {
        std::erase_if(published_, [&](const Published& one) {
          return one.key == change.key && same_address(one.provider, change.provider);
        });
      }
    }
    settle(waiting, error);
  }

  /// Makes all changes, or leaves them for later if somebody else writes.
  void write() {
    const Result<bool> written = try_write();
    if (!written) return settle_changes(written.error());
    if (*written) {
      busy_since_ = {};
      trouble({});
      look_at_ = {};
      return settle_changes(std::nullopt);
    }
    if (busy_since_ == TimePoint()) busy_since_ = Clock::now();
    trouble(
        fmt::format("{} is there: another process is writing; remove it if none is", lock_path_),
        Clock::now() - busy_since_ > kLongLock);
    write_at_ = Clock::now() + kLockPause;
  }

  /// False: somebody else writes.
  Result<bool> try_write() {
    const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
    std::error_code ignored;  // what follows fails with a better message
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    FileLock lock(lock_path_);
    const Result<bool> locked = lock.try_lock();
    if (!locked || !*locked) return locked;
    const Result<std::string> text = read();
    if (!text) return text.error();
    // Complaints come when it is looked at.
    Lines lines = Lines::parse(*text, [](std::size_t, std::string_view) {});
    for (const Change& change : changes_) {
      const std::string id = data_id(change.key);
      if (change.put) {
        lines.put(id, change.provider);
      } else {
        lines.remove(id, change.provider);
      }
    }
    const std::string fresh = lines.to_string();
    if (fresh == *text) return true;
    if (const Result<void> replaced = replace(fresh); !replaced) return replaced.error();
    return true;
  }

  /// The file's text; empty if there is none.
  Result<std::string> read() const {
    const Descriptor fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return errno == ENOENT ? Result<std::string>(std::string()) : io_error("open", path_);
    return read_all(fd.get(), path_);
  }

  Result<void> replace(const std::string& text) {
    const std::string fresh = path_ + ".new";
    const std::string old = path_ + ".bak";
    {
      // Who may read the old one may read the new one.
      struct stat status;
      const mode_t mode = ::stat(path_.c_str(), &status) == 0 ? status.st_mode & 0777 : 0644;
      const Descriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
      if (!fd) return io_error("open", fresh);
      if (::fchmod(fd.get(), mode) != 0) return io_error("chmod", fresh);
      if (Result<void> written = write_all(fd.get(), text, fresh); !written) return written;
      if (::fsync(fd.get()) != 0) return io_error("fsync", fresh);
    }
    // The old one stays under another name, for a person who wants to see what was there.
    ::unlink(old.c_str());
    if (::link(path_.c_str(), old.c_str()) != 0 && errno != ENOENT) {
      log(LogLevel::kWarning, fmt::format("{}: no copy of the old state: {}", address(),
                                          io_error("link", old).message()));
    }
    if (::rename(fresh.c_str(), path_.c_str()) != 0) return io_error("rename", fresh);
    return {};
  }

  void look() {
    look_at_ = Clock::now() + scan_period_;
    struct stat before {};
    std::string text;
    const Descriptor fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) {
      if (::fstat(fd.get(), &before) != 0) return unreadable(io_error("look at", path_));
      if (known_ && unchanged(before)) {
        readable();
        return put_back();
      }
      Result<std::string> read = read_all(fd.get(), path_);
      if (!read) return unreadable(read.error());
      text = *std::move(read);
    } else if (errno != ENOENT) {
      return unreadable(io_error("open", path_));
    }
    // A writer that writes in place, as Java and editors do, may be half done: it shows by Java's
    // lock, by a state that has changed again, and by a last line without an end.
    struct stat after {};
    const bool there = ::stat(path_.c_str(), &after) == 0;
    const bool changed = there != static_cast<bool>(fd) ||
                         (there && (!same_file(before, after) || before.st_size != after.st_size ||
                                    before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                                    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec));
    const bool torn = text.empty() ? fd && is_recent(before, kEmptied)
                                   : !text.ends_with('\n') && is_recent(before, kTimeGrain);
    const bool locked = FileLock::held_by_others(lock_path_);
    if (changed || torn || locked) {
      if (!known_)
        failing(locked ? lock_path_ + " is there: another process writes it"
                       : "it is being written");
      look_at_ = Clock::now() + std::min(scan_period_, 5 * kLockPause);
      return;
    }
    readable(there);
    seen_ = before;
    settled_ = !fd || !is_recent(before, kTimeGrain);
    if (known_ && text == text_) return put_back();
    text_ = std::move(text);
    lines_ = Lines::parse(text_, [this](std::size_t line, std::string_view what) {
      log(LogLevel::kWarning, fmt::format("{}:{}: {}", path_, line, what));
    });
    known_ = true;
    own_checked_ = false;
    // A listener may end its watch, or another, or begin one.
    for (const std::shared_ptr<Listening>& one : Listenings(listenings_)) tell_one(one);
  }

  void tell_one(const std::shared_ptr<Listening>& one) {
    tell({one}, lines_.of_interface(one->key().interface_name));
  }

  /// Nothing is in the way of reading. Of writing there may be.
  void readable(bool there = true) {
    if (changes_.empty()) trouble({});
    connected(there ? "" : fmt::format("there is no file {} yet", path_));
  }
  void unreadable(const Error& error) {
    trouble(error.message());
    trying(fmt::format("cannot read {}", path_));
    const std::string& message = error.message();
    failing(message.substr(message.rfind(": ") + 2));
  }
  bool unchanged(const struct stat& now) const {
    return settled_ && same_file(now, seen_) && now.st_size == seen_.st_size &&
           now.st_mtim.tv_sec == seen_.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == seen_.st_mtim.tv_nsec;
  }
  static bool is_recent(const struct stat& status, std::chrono::nanoseconds limit) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return std::chrono::seconds(now.tv_sec - status.st_mtim.tv_sec) +
               std::chrono::nanoseconds(now.tv_nsec - status.st_mtim.tv_nsec) <
           limit;
  }

  /// What we have published and somebody has written over. What a newer process published at the
  /// same address stays. Only when the file has stayed the same for a while: who writes in place
  /// would lose what he is about to write.
  void put_back() {
    if (std::exchange(own_checked_, true)) return;
    for (const Published& one : published_) {
      const Providers listed = lines_.of(data_id(one.key));
      const bool there = std::any_of(listed.begin(), listed.end(), [&](const Provider& provider) {
        return same_address(provider, one.provider);
      });
      if (!there) change({one.key, one.provider, true, nullptr});
    }
  }

  const std::string path_;
  const std::string lock_path_;
  const milliseconds scan_period_;
  // All below: on the thread.
  std::vector<Published> published_;
  std::vector<Change> changes_;
  Tickets also_;  // of changes that were asked for twice
  Listenings listenings_;
  TimePoint write_at_{};
  TimePoint busy_since_{};
  TimePoint look_at_{};
  bool known_ = false;
  bool settled_ = false;
  bool own_checked_ = true;
  struct stat seen_ {};
  std::string text_;
  Lines lines_;
};

}  // namespace

std::shared_ptr<Keeper> make_file_keeper(Runtime& runtime, std::string_view url,
                                         const RegistryOptions& options) {
  std::string_view path = url.substr(std::string_view("file://").size());
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("registry '{}': {}; expected file:///path/of/a/file", url, why));
  };
  if (!path.starts_with('/')) throw wrong("the path does not begin with a slash");
  if (path.ends_with('/')) throw wrong("it names a folder");
  std::error_code ignored;
  if (std::filesystem::is_directory(std::filesystem::path(path), ignored)) {
    throw wrong("it is a folder");
  }
  return std::make_shared<FileKeeper>(runtime, std::string(url), std::string(path), options);
}

}  // namespace settee::inline v0::rpc::registry
