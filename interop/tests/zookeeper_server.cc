// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/zookeeper_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#define THREADED  // the calls that wait
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace interop {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kStartTime{120};
constexpr char kJar[] = "/usr/share/java/zookeeper.jar";

class Socket {
 public:
  Socket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

zhandle_t* opened(void* handle) { return static_cast<zhandle_t*>(handle); }

void check(int rc, const std::string& what) {
  if (rc != ZOK) throw std::runtime_error(what + ": " + zerror(rc));
}

zhandle_t* connect(const std::string& address) {
  zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
  zhandle_t* const handle = zookeeper_init2(
      address.c_str(), [](zhandle_t*, int, int, const char*, void*) {}, 30'000, nullptr, nullptr,
      ZOO_NO_LOG_CLIENTENV, [](const char*) {});
  if (handle == nullptr) throw std::runtime_error("connect to " + address + ": " + strerror(errno));
  const auto end = Clock::now() + 30s;
  while (zoo_state(handle) != ZOO_CONNECTED_STATE) {
    if (Clock::now() > end) {
      zookeeper_close(handle);
      throw std::runtime_error("no session with ZooKeeper at " + address);
    }
    std::this_thread::sleep_for(2ms);
  }
  return handle;
}

}  // namespace

std::unique_ptr<RegistryClient> ZookeeperServer::client() const {
  return std::make_unique<ZookeeperClient>(address());
}

ZookeeperServer::ZookeeperServer(bool started) {
  std::string pattern = std::filesystem::temp_directory_path() / "zookeeper.XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  folder_ = pattern;
  port_ = free_port();
  // Short ticks allow sessions of a second; the disk is not what is tested.
  std::ofstream(folder_ + "/zoo.cfg") << "tickTime=250\n"
                                         "minSessionTimeout=500\n"
                                         "maxSessionTimeout=60000\n"
                                         "dataDir="
                                      << folder_
                                      << "/data\n"
                                         "clientPortAddress=127.0.0.1\n"
                                         "clientPort="
                                      << port_
                                      << "\n"
                                         "maxClientCnxns=0\n"
                                         "admin.enableServer=false\n"
                                         "4lw.commands.whitelist=*\n";
  if (started) start();
}

ZookeeperServer::~ZookeeperServer() {
  child_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ZookeeperServer::start() {
  if (!std::filesystem::exists(kJar)) {
    throw std::runtime_error(std::string(kJar) +
                             " is not there: ./setup --peers installs the ZooKeeper server");
  }
  child_.emplace(std::vector<std::string>{
      "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
      "-cp", std::string(kJar), "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      folder_ + "/zoo.cfg"});
  const auto end = Clock::now() + kStartTime;
  while (ask("ruok") != "imok" || ask("srvr").find("Mode: ") == std::string::npos) {
    if (Clock::now() > end) {
      throw std::runtime_error("the ZooKeeper server does not serve on " + address() + "\n" +
                               child_->errors());
    }
    std::this_thread::sleep_for(20ms);
  }
}

void ZookeeperServer::kill() {
  child_->kill(SIGKILL);
  child_->wait(30s);
  child_.reset();
}

void ZookeeperServer::lose_data() { std::filesystem::remove_all(folder_ + "/data"); }

void ZookeeperServer::suspend() { child_->kill(SIGSTOP); }
void ZookeeperServer::resume() { child_->kill(SIGCONT); }

std::string ZookeeperServer::ask(const std::string& word) const {
  const Socket socket;
  // One that has only just begun to listen may accept and forget.
  const timeval patience{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = loopback(port_);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  if (::send(socket.get(), word.data(), word.size(), MSG_NOSIGNAL) < 0) return {};
  std::string answer;
  char buffer[4096];
  for (;;) {
    const ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return answer;
    answer.append(buffer, static_cast<std::size_t>(got));
  }
}

ZookeeperClient::ZookeeperClient(const std::string& address) : handle_(connect(address)) {}

ZookeeperClient::~ZookeeperClient() { zookeeper_close(opened(handle_)); }

std::optional<ZookeeperClient::Node> ZookeeperClient::get(const std::string& path) const {
  std::vector<char> data(65536);
  int size = static_cast<int>(data.size());
  Stat stat;
  const int rc = zoo_get(opened(handle_), path.c_str(), 0, data.data(), &size, &stat);
  if (rc == ZNONODE) return std::nullopt;
  check(rc, "get " + path);
  return Node{std::string(data.data(), static_cast<std::size_t>(std::max(size, 0))),
              stat.ephemeralOwner, stat.czxid};
}

std::vector<std::string> ZookeeperClient::children(const std::string& path) const {
  String_vector names{};
  const int rc = zoo_get_children(opened(handle_), path.c_str(), 0, &names);
  if (rc == ZNONODE) return {};
  check(rc, "list " + path);
  std::vector<std::string> all(names.data, names.data + names.count);
  deallocate_String_vector(&names);
  return all;
}

void ZookeeperClient::create(const std::string& path, const std::string& data,
                             bool ephemeral) const {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    const int rc = zoo_create(opened(handle_), parent.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                              ZOO_PERSISTENT, nullptr, 0);
    if (rc != ZNODEEXISTS) check(rc, "create " + parent);
  }
  check(zoo_create(opened(handle_), path.c_str(), data.data(), static_cast<int>(data.size()),
                   &ZOO_OPEN_ACL_UNSAFE, ephemeral ? ZOO_EPHEMERAL : ZOO_PERSISTENT, nullptr, 0),
        "create " + path);
}

void ZookeeperClient::set(const std::string& path, const std::string& data) const {
  check(zoo_set(opened(handle_), path.c_str(), data.data(), static_cast<int>(data.size()), -1),
        "set " + path);
}

void ZookeeperClient::remove(const std::string& path) const {
  check(zoo_delete(opened(handle_), path.c_str(), -1), "delete " + path);
}

}  // namespace interop
