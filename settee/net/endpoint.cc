// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "settee/base/runtime.h"

namespace settee::inline v0::net {

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint;
  const auto wrong = [text](std::string_view why) {
    return Error(
        Code::kInvalidArgument,
        fmt::format("address '{}': {}; expected host:port, [ipv6]:port or unix:/path", text, why));
  };
  if (text.starts_with("unix:")) {
    endpoint.unix_path = true;
    endpoint.host = text.substr(5);
    if (endpoint.host.empty()) return wrong("no path");
    if (endpoint.host.size() >= sizeof(sockaddr_un::sun_path)) return wrong("path too long");
    return endpoint;
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return wrong("no ']'");
    endpoint.host = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return wrong("text behind ']'");
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty()) return wrong("no port behind ':'");
  } else {
    const std::size_t colon = text.find(':');
    if (colon != text.rfind(':')) return wrong("an IPv6 address needs brackets");
    endpoint.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) return wrong("no port behind ':'");
    }
  }
  if (endpoint.host.empty()) return wrong("no host");
  if (port.empty()) {
    endpoint.port = default_port;
    return endpoint;
  }
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size()) return wrong("bad port");
  return endpoint;
}

Endpoint Endpoint::at(const std::string& host, std::uint16_t port) {
  if (host.starts_with("unix:")) return parse(host).value();
  Endpoint endpoint;
  endpoint.host = host;
  endpoint.port = port;
  return endpoint;
}

std::string Endpoint::to_string() const {
  if (unix_path) return "unix:" + host;
  // By hand: lists of providers are compared by this, ten thousand at a time.
  const bool v6 = host.find(':') != std::string::npos;
  const fmt::format_int number(port);
  std::string text;
  text.reserve(host.size() + number.size() + (v6 ? 3 : 1));
  if (v6) text += '[';
  text += host;
  text += v6 ? "]:" : ":";
  text.append(number.data(), number.size());
  return text;
}

SocketAddress::SocketAddress(const sockaddr* address, std::uint32_t size) noexcept {
  size_ = std::min<std::uint32_t>(size, sizeof storage_);
  std::memcpy(storage_, address, size_);
}

int SocketAddress::family() const noexcept { return size_ == 0 ? AF_UNSPEC : get()->sa_family; }

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(storage_)->sin_port);
  }
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(storage_)->sin6_port);
  }
  return 0;
}

bool SocketAddress::local() const noexcept {
  constexpr std::uint8_t kLoopback = 127;
  if (family() == AF_INET) {
    const in_addr address = reinterpret_cast<const sockaddr_in*>(storage_)->sin_addr;
    return ntohl(address.s_addr) >> 24 == kLoopback;
  }
  if (family() == AF_INET6) {
    const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(storage_)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&address) ||
           (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == kLoopback);
  }
  return family() == AF_UNIX;
}

std::string SocketAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  switch (family()) {
    case AF_INET:
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(storage_)->sin_addr, text,
                sizeof text);
      return fmt::format("{}:{}", text, port());
    case AF_INET6:
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(storage_)->sin6_addr, text,
                sizeof text);
      return fmt::format("[{}]:{}", text, port());
    case AF_UNIX: {
      const auto* path = reinterpret_cast<const sockaddr_un*>(storage_)->sun_path;
      const std::size_t room = size_ - offsetof(sockaddr_un, sun_path);
      return "unix:" + std::string(path, strnlen(path, room));
    }
    default: return "(no address)";
  }
}

namespace {

Result<std::vector<SocketAddress>> look_up(const Endpoint& endpoint, int flags) {
  std::vector<SocketAddress> addresses;
  if (endpoint.unix_path) {
    sockaddr_un address{};
    if (endpoint.host.size() >= sizeof address.sun_path) {
      return Error(Code::kInvalidArgument,
                   fmt::format("the socket path '{}' has {} bytes, and {} is the most there can be",
                               endpoint.host, endpoint.host.size(), sizeof address.sun_path - 1));
    }
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, endpoint.host.c_str(), endpoint.host.size() + 1);
    addresses.emplace_back(
        reinterpret_cast<const sockaddr*>(&address),
        static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + endpoint.host.size() + 1));
    return addresses;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error == EAI_NONAME && (flags & AI_NUMERICHOST) != 0) return addresses;
  if (error != 0) {
    return Error(Code::kConnectFailed, fmt::format("looking up the host name '{}': {}",
                                                   endpoint.host, gai_strerror(error)));
  }
  for (const addrinfo* item = found; item != nullptr; item = item->ai_next) {
    addresses.emplace_back(item->ai_addr, item->ai_addrlen);
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

Result<std::vector<SocketAddress>> resolve_numeric(const Endpoint& endpoint) {
  return look_up(endpoint, AI_NUMERICHOST);
}

Task<std::vector<SocketAddress>> resolve(ThreadPool& pool, Endpoint endpoint) {
  Result<std::vector<SocketAddress>> numeric = resolve_numeric(endpoint);
  if (!numeric || !numeric->empty()) co_return numeric;
  Task<Result<std::vector<SocketAddress>>> lookup =
      run_on(pool, [endpoint] { return look_up(endpoint, AI_ADDRCONFIG); });
  Result<std::vector<SocketAddress>> found = co_await std::move(lookup);
  co_return found;
}

}  // namespace settee::inline v0::net
