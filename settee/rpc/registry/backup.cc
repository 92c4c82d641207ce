// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include "settee/base/detail/descriptor.h"
#include "settee/rpc/registry/internal/lines.h"

namespace settee::inline v0::rpc::registry {

namespace {

using settee::detail::Descriptor;

constexpr std::string_view kForm = "# Settee: last known providers, form 1\n";
constexpr std::string_view kWritten = "# written ";
constexpr std::string_view kEnd = "# end ";
// So many changes come together as are made within this.
constexpr std::chrono::milliseconds kGather{50};
// Larger is no list of providers.
constexpr std::size_t kMostBytes = 32u << 20;
// A file's name may have 255 bytes, and the one it is written under seven more.
constexpr std::size_t kMostName = 240;

/// A name of any length keeps its beginning, for a person, and becomes different by its sum (FNV-1a).
std::string short_name(std::string name) {
  if (name.size() <= kMostName) return name;
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const char c : name) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  name.resize(kMostName - 17);
  return name + fmt::format("~{:016x}", sum);
}

/// Of what stands in the head: one line.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');
  return out;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::size_t line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + at, '\n'));
}

/// What is wrong with a file by its owner and size; empty: nothing.
std::string wrong_file(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is no file";
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fmt::format("it belongs to another user ({})", status.st_uid);
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "others may write it";
  if (static_cast<std::size_t>(status.st_size) > kMostBytes) {
    return fmt::format("it is larger than {} MiB", kMostBytes >> 20);
  }
  return {};
}

}  // namespace

Backup::Backup(std::string directory, std::string registry, Say say)
    : directory_(std::move(directory)),
      registry_(std::move(registry)),
      say_(std::move(say)),
      thread_([this] { run(); }) {}

Backup::~Backup() {
  {
    const std::lock_guard held(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Backup::keep(const std::string& interface_name, const Providers& all) {
  if (all.empty()) return;
  const auto [kept, fresh] = kept_.try_emplace(interface_name);
  if (!fresh && kept->second == all) return;
  kept->second = all;
  const std::lock_guard held(mutex_);
  pending_[interface_name] = all;
  changed_.notify_all();
}

std::string Backup::path_of(const std::string& interface_name) const {
  // '@' is in neither of them when they are encoded.
  return directory_ + "/" + short_name(url_encode(registry_) + "@" + url_encode(interface_name));
}

std::string Backup::head_of(const std::string& interface_name) const {
  return fmt::format("{}# registry {}\n# interface {}\n{}", kForm, one_line(registry_),
                     one_line(interface_name), kWritten);
}

std::string Backup::text_of(const std::string& interface_name, const Providers& all) const {
  std::map<std::string, std::string> lines;
  std::size_t count = 0;
  for (const Provider& provider : all) {
    ServiceKey key;
    key.interface_name = interface_name;
    key.version = provider.attribute("version");
    key.unique_id = provider.attribute("uniqueId");
    key.protocol = provider.protocol;
    const std::string id = fmt::format("{}:{}{}{}@{}", key.interface_name, key.version,
                                       key.unique_id.empty() ? "" : ":", key.unique_id,
                                       key.protocol == "bolt" ? "DEFAULT" : key.protocol);
    // Somebody may register anything. What this form cannot say is left out.
    const bool plain = std::none_of(id.begin(), id.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (!plain || id.starts_with('#') || parse_data_id(id) != key || provider.endpoint.unix_path) {
      continue;
    }
    lines[id] += listed_url(provider) + "\t";
    ++count;
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string text = head_of(interface_name);
  text += fmt::format("{}\n", std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  for (const auto& [id, urls] : lines) text.append(id).append("\t").append(urls).append("\n");
  return text + fmt::format("{}{}\n", kEnd, count);
}

void Backup::run() {
  pthread_setname_np(pthread_self(), "settee-backup");
  std::unique_lock held(mutex_);
  for (;;) {
    changed_.wait(held, [this] { return stopping_ || !pending_.empty(); });
    changed_.wait_for(held, kGather, [this] { return stopping_; });
    if (pending_.empty()) return;
    std::map<std::string, Providers> all = std::exchange(pending_, {});
    held.unlock();
    for (const auto& [name, providers] : all) {
      try {
        write(name, providers);
      } catch (const std::exception& error) {
        complain("write", fmt::format("{}: keeping the providers of {}: {}", directory_, name,
                                      error.what()));
      }
    }
    held.lock();
  }
}

void Backup::write(const std::string& interface_name, const Providers& all) {
  const std::string path = path_of(interface_name);
  const auto failed = [&](std::string_view step, const std::string& what) {
    const int error = errno;
    complain("write", fmt::format("{} {}: {}; the last known providers of {} are not kept for a "
                                  "start without {}",
                                  step, what, std::strerror(error), interface_name, registry_));
  };
  const std::string text = text_of(interface_name, all);
  if (text.size() > kMostBytes) {
    return complain("size",
                    fmt::format("{}: {} providers of {} are more than {} MiB; they are not "
                                "kept for a start without {}",
                                path, all.size(), interface_name, kMostBytes >> 20, registry_));
  }
  std::error_code ignored;  // what follows fails with a better message
  std::filesystem::create_directories(std::filesystem::path(directory_).parent_path(), ignored);
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return failed("make", directory_);
  std::string fresh = path + ".XXXXXX";
  Descriptor fd(::mkostemp(fresh.data(), O_CLOEXEC));  // mode 0600
  if (!fd) return failed("write", fresh);
  const auto give_up = [&](std::string_view step) {
    failed(step, fresh);
    ::unlink(fresh.c_str());
  };
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t put = ::write(fd.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return give_up("write");
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(fd.get()) != 0) return give_up("fsync");
  fd.close();
  if (::rename(fresh.c_str(), path.c_str()) != 0) return give_up("rename");
  well("write");
}

std::optional<Backup::Memory> Backup::load(const std::string& interface_name) {
  const std::string path = path_of(interface_name);
  const auto ignored = [&](std::size_t line, std::string_view why) {
    say_(LogLevel::kWarning,
         fmt::format("{}{}: {}; the file is ignored", path,
                     line != 0 ? fmt::format(":{}", line) : std::string(), why));
    return std::nullopt;
  };
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) {
    if (errno != ENOENT) {
      complain("read", fmt::format("open {}: {}; without it nothing is known until {} answers",
                                   path, std::strerror(errno), registry_));
    }
    return std::nullopt;
  }
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return ignored(0, std::strerror(errno));
  if (const std::string wrong = wrong_file(status); !wrong.empty()) return ignored(0, wrong);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ignored(0, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);

  // Head and end, to the letter.
  const std::string head = head_of(interface_name);
  if (!text.starts_with(head)) {
    const auto different = std::mismatch(head.begin(), head.end(), text.begin(), text.end());
    const std::size_t at = static_cast<std::size_t>(different.first - head.begin());
    const std::size_t from = at == 0 ? 0 : head.rfind('\n', at - 1) + 1;
    return ignored(line_of(head, at), fmt::format("it should begin with '{}'",
                                                  head.substr(from, head.find('\n', from) - from)));
  }
  const std::size_t line_end = std::min(text.find('\n', head.size()), text.size());
  const auto written =
      number<std::int64_t>(std::string_view(text).substr(head.size(), line_end - head.size()));
  if (!written) return ignored(line_of(text, head.size()), "there is no time");
  const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
  const std::string_view end = std::string_view(text).substr(last);
  const auto count =
      end.starts_with(kEnd) && end.ends_with('\n')
          ? number<std::size_t>(end.substr(kEnd.size(), end.size() - kEnd.size() - 1))
          : std::nullopt;
  if (!count) return ignored(line_of(text, last), "its last line is not '# end <count>'");
  std::string complaint;
  std::size_t where = 0;
  const Lines lines = Lines::parse(text, [&](std::size_t line, std::string_view what) {
    if (complaint.empty()) complaint = what;
    if (where == 0) where = line;
  });
  if (!complaint.empty()) return ignored(where, complaint);
  if (lines.size() != *count) {
    return ignored(line_of(text, last),
                   fmt::format("it says {} providers and has {}", *count, lines.size()));
  }
  well("read");
  Memory memory;
  memory.providers = lines.of_interface(interface_name);
  memory.written = std::chrono::system_clock::time_point(std::chrono::milliseconds(*written));
  memory.path = path;
  return memory;
}

void Backup::complain(const std::string& kind, const std::string& message) {
  {
    const std::lock_guard held(mutex_);
    if (!said_.insert(kind).second) return;
  }
  say_(LogLevel::kWarning, message);
}

void Backup::well(const std::string& kind) {
  const std::lock_guard held(mutex_);
  said_.erase(kind);
}

}  // namespace settee::inline v0::rpc::registry
