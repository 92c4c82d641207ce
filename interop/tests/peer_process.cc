// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/peer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <utility>

namespace interop {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

// Machines that are busy with other tests start a JVM in ten seconds, sanitizer builds in more.
constexpr milliseconds kStartTime{120'000};
// The clients' own watchdogs end them after 120 s and what their options add.
constexpr milliseconds kClientTime{300'000};
constexpr std::size_t kErrorsShown = 4'000;

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void close_if_open(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

std::vector<std::string> command_of(Peer peer, bool server, const std::string& port,
                                    const std::vector<std::string>& options) {
  std::vector<std::string> command;
  switch (peer) {
    case Peer::kJava:
      command = {SETTEE_SOURCE_DIR "/interop/java/run.sh", built("java"),
                 server ? "PeerServer" : "PeerClient"};
      break;
    case Peer::kNode:
      command = {"node", built("node") + (server ? "/server.js" : "/client.js")};
      break;
    case Peer::kCpp: command = {own_program("interop_server")}; break;
  }
  command.push_back("--port");
  command.push_back(port);
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

}  // namespace

std::string built(const char* peer) {
  const char* const elsewhere = std::getenv("SETTEE_INTEROP_DIR");
  const std::string all = elsewhere != nullptr ? elsewhere : SETTEE_INTEROP_DIR;
  const std::string folder = all + "/" + peer;
  if (!std::filesystem::exists(folder + "/.stamp")) {
    throw std::runtime_error("the " + std::string(peer) + " peers are not in " + folder +
                             ": run ctest, which builds them, or interop/" + peer + "/build.sh " +
                             folder);
  }
  return folder;
}

std::string own_program(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

const char* to_string(Peer peer) {
  switch (peer) {
    case Peer::kJava: return "Java";
    case Peer::kNode: return "Node";
    case Peer::kCpp: return "C++";
  }
  return "?";
}

Child::Child(const std::vector<std::string>& command) {
  for (const std::string& word : command) name_ += (name_.empty() ? "" : " ") + word;
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0) throw_errno("pipe2");
  input_ = to_child[1];
  if (pipe2(from_child, O_CLOEXEC) != 0) throw_errno("pipe2");
  output_ = from_child[0];
  // A file that cannot be full: a child that complains a lot is never held up.
  errors_ = memfd_create("stderr", MFD_CLOEXEC);
  if (errors_ < 0) throw_errno("memfd_create");

  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) {
    // Only async-signal-safe calls here: other threads may have held locks.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    dup2(errors_, STDERR_FILENO);
    execvp(arguments[0], arguments.data());
    constexpr char kMessage[] =
        "this program cannot be run; ./setup --peers installs what the peers need\n";
    static_cast<void>(!write(STDERR_FILENO, kMessage, sizeof kMessage - 1));
    _exit(127);
  }
  ::close(to_child[0]);
  ::close(from_child[1]);
}

Child::Child(Child&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      received_(std::move(other.received_)) {}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close_if_open(input_);
  close_if_open(output_);
  close_if_open(errors_);
}

std::optional<std::string> Child::read_line(milliseconds within) {
  const auto end = Clock::now() + within;
  for (;;) {
    if (const std::size_t at = received_.find('\n'); at != std::string::npos) {
      std::string line = received_.substr(0, at);
      received_.erase(0, at + 1);
      return line;
    }
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now()).count();
    if (left <= 0) {
      throw std::runtime_error(name_ + ": printed no line within " +
                               std::to_string(within.count()) + " ms\n" + errors());
    }
    pollfd watched{output_, POLLIN, 0};
    if (poll(&watched, 1, static_cast<int>(left)) <= 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(output_, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      if (received_.empty()) return std::nullopt;
      received_ += '\n';
      continue;
    }
    received_.append(buffer, static_cast<std::size_t>(got));
  }
}

void Child::end_input() { close_if_open(input_); }

void Child::kill(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Child::wait(milliseconds within) {
  const auto end = Clock::now() + within;
  bool killed = false;
  while (pid_ > 0) {
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (!killed && Clock::now() >= end) {
      kill(SIGKILL);
      killed = true;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  return -1;
}

std::string Child::errors() const {
  const off_t size = lseek(errors_, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kErrorsShown));
  std::string text(static_cast<std::size_t>(size - from), '\0');
  const ssize_t got = pread(errors_, text.data(), text.size(), from);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

PeerServer::PeerServer(Peer peer, std::vector<std::string> options, int port)
    : child_(command_of(peer, true, std::to_string(port), options)) {
  const std::string ready = "READY port=";
  std::optional<std::string> line;
  while ((line = child_.read_line(kStartTime)) && !line->starts_with(ready)) {
  }
  if (!line) {
    const int status = child_.wait(milliseconds(1'000));
    throw std::runtime_error(child_.name() + ": ended with status " + std::to_string(status) +
                             " in place of serving\n" + child_.errors());
  }
  port_ = std::stoi(line->substr(ready.size()));
}

int PeerServer::stop() {
  child_.end_input();
  return child_.wait(milliseconds(30'000));
}

void PeerServer::crash() {
  child_.kill(SIGKILL);
  child_.wait(milliseconds(30'000));
}

PeerClient::PeerClient(Peer peer, int port, std::vector<std::string> options)
    : child_(command_of(peer, false, std::to_string(port), options)) {}

bool PeerClient::read(std::string* line) {
  std::optional<std::string> next = child_.read_line(kClientTime);
  if (!next) return false;
  *line = *std::move(next);
  const auto split = [&](std::size_t from) {
    const std::size_t colon = line->find(": ", from);
    return std::pair(line->substr(from, colon - from),
                     colon == std::string::npos ? std::string() : line->substr(colon + 2));
  };
  if (line->starts_with("ok ")) {
    report_.ok.push_back(line->substr(3));
  } else if (line->starts_with("FAIL ")) {
    report_.failed.insert(split(5));
  } else if (line->starts_with("skip ")) {
    report_.skipped.insert(split(5));
  } else if (line->starts_with("info ")) {
    report_.info.push_back(line->substr(5));
  } else if (line->starts_with("DONE ")) {
    report_.done = line->substr(5);
  }
  return true;
}

void PeerClient::wait_for(const std::string& prefix) {
  std::string line;
  while (read(&line)) {
    if (line.starts_with(prefix)) return;
  }
  throw std::runtime_error(child_.name() + ": ended without printing '" + prefix + "'\n" +
                           child_.errors());
}

ClientReport PeerClient::finish() {
  std::string line;
  while (read(&line)) {
  }
  report_.status = child_.wait(milliseconds(30'000));
  report_.errors = child_.errors();
  return std::move(report_);
}

}  // namespace interop
