// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/provider.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {
namespace {

constexpr std::uint16_t kBoltPort = 12200;
constexpr std::uint16_t kOtherPort = 80;
constexpr int kDefaultWeight = 100;
// A registry may give us anything; a message need not repeat all of it.
constexpr std::size_t kMaxShown = 256;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string shown(std::string_view url) {
  std::string text(url.substr(0, kMaxShown));
  std::replace_if(text.begin(), text.end(), is_control, '?');
  if (url.size() > kMaxShown) text += "...";
  return text;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  if (text.find('%') == std::string_view::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && text.size() - i > 2) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

void append_encoded(std::string& out, std::string_view text, std::string_view special) {
  for (const char c : text) {
    if (is_control(c) || special.find(c) != std::string_view::npos) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

constexpr std::string_view kNeverInHost = "%#[]<>()\"'\\^`{}|=&+!$*~";
constexpr std::string_view kSpecialInPath = "%?# ,;";
constexpr std::string_view kSpecialInAttribute = "%?# ,;&=+";

// The protocol before "://", which may also stand further behind, in an attribute.
std::size_t protocol_size(std::string_view url) {
  const std::size_t end = url.find("://");
  if (end == std::string_view::npos || url.find_first_of("/?") < end) return std::string_view::npos;
  return end;
}

bool is_protocol(std::string_view text) {
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
         });
}

// What is wrong with a host that stood in brackets; empty if nothing.
std::string_view wrong_v6(std::string_view host) {
  const std::size_t percent = std::min(host.find('%'), host.size());
  const std::string_view zone = host.substr(percent);
  const std::string address(host.substr(0, percent));
  in6_addr parsed{};
  if (address.find('\0') != std::string::npos ||
      inet_pton(AF_INET6, address.c_str(), &parsed) != 1) {
    return "what stands in the brackets is no IPv6 address";
  }
  if (zone.size() == 1 || !std::all_of(zone.begin(), zone.end(), [](char c) {
        return is_letter(c) || is_digit(c) || std::string_view("%._-").find(c) < 4;
      })) {
    return "behind the '%' stands no interface's name";
  }
  return {};
}

std::string_view wrong_name(std::string_view host) {
  if (host.find_first_of(",;") != std::string_view::npos) return "more than one address";
  // It could not be told from the path of a socket once it has a port.
  if (host == "unix") return "the path of a socket is written unix:/path";
  if (host.find('@') != std::string_view::npos) return "a user name is not understood";
  if (std::any_of(host.begin(), host.end(), [](char c) {
        return c == ' ' || is_control(c) || kNeverInHost.find(c) != std::string_view::npos;
      })) {
    return "the host has a character that no host has";
  }
  return {};
}

}  // namespace

std::string ServiceKey::unique_name() const {
  return rpc::unique_name(interface_name, version, unique_id);
}

Result<Provider> Provider::parse(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("provider '{}': {}; expected [protocol://]host[:port][/path]"
                             "[?key=value&...]",
                             shown(url), why));
  };
  std::string_view rest = trimmed(url);
  if (rest.empty()) return wrong("empty");
  Provider provider;
  if (const std::size_t size = protocol_size(rest); size != std::string_view::npos) {
    provider.protocol = rest.substr(0, size);
    if (!is_protocol(provider.protocol)) {
      return wrong(size == 0 ? "no protocol before '://'" : "no protocol has such a name");
    }
    std::transform(provider.protocol.begin(), provider.protocol.end(), provider.protocol.begin(),
                   to_lower);
    rest.remove_prefix(size + 3);
  }
  std::string_view query;
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  std::string socket;
  if (rest.starts_with("unix:")) {
    socket = decoded(rest);
    rest = socket;
    if (rest.find('\0') != std::string_view::npos) return wrong("a zero byte in the socket's path");
  } else if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    provider.path = decoded(rest.substr(slash + 1));
    rest = rest.substr(0, slash);
  }
  Result<net::Endpoint> endpoint =
      net::Endpoint::parse(rest, provider.protocol == "bolt" ? kBoltPort : kOtherPort);
  if (!endpoint) return wrong(shown(endpoint.error().message()));
  provider.endpoint = *std::move(endpoint);
  if (!provider.endpoint.unix_path) {
    const std::string_view why = rest.starts_with('[') ? wrong_v6(provider.endpoint.host)
                                                       : wrong_name(provider.endpoint.host);
    if (!why.empty()) return wrong(why);
    if (provider.endpoint.port == 0) return wrong("nobody can be reached at port 0");
  }
  if (!query.empty()) {
    // A guess, and from a stranger: more of them make their own room.
    provider.attributes.reserve(std::min<std::size_t>(
        1 + static_cast<std::size_t>(std::count(query.begin(), query.end(), '&')), 64));
  }
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    std::string key = decoded(pair.substr(0, equals));
    if (key.empty()) return wrong("an attribute without a name");
    provider.attributes[key] =
        equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1));
  }
  return provider;
}

std::string Provider::to_string() const {
  std::string url = protocol + "://";
  if (endpoint.unix_path) {
    append_encoded(url, endpoint.to_string(), kSpecialInPath);
  } else {
    url += endpoint.to_string();
    if (!path.empty()) {
      url += '/';
      append_encoded(url, path, kSpecialInPath);
    }
  }
  char separator = '?';
  for (const auto& [key, value] : attributes) {
    if (key.empty()) continue;
    url += separator;
    append_encoded(url, key, kSpecialInAttribute);
    url += '=';
    append_encoded(url, value, kSpecialInAttribute);
    separator = '&';
  }
  return url;
}

std::string_view Provider::attribute(std::string_view name) const noexcept {
  const auto found = attributes.find(name);
  return found == attributes.end() ? std::string_view() : std::string_view(found->second);
}

std::int64_t Provider::number(std::string_view name, std::int64_t otherwise) const noexcept {
  const std::string_view text = trimmed(attribute(name));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

int Provider::weight() const noexcept {
  return static_cast<int>(std::clamp<std::int64_t>(number("weight", kDefaultWeight), 0,
                                                   std::numeric_limits<int>::max()));
}

std::string Provider::why_not(const ServiceKey& key) const {
  if (protocol != key.protocol) {
    return fmt::format("it speaks {}, not {}", protocol, key.protocol);
  }
  if (const std::string_view own = attribute("uniqueId"); own != key.unique_id) {
    return fmt::format("it has uniqueId '{}', not '{}'", own, key.unique_id);
  }
  const std::string_view own = attribute("version");
  if (!own.empty() && own != key.version) {
    return fmt::format("it has version {}, not {}", own, key.version);
  }
  return {};
}

bool Provider::same_as(const Provider& other) const noexcept {
  return protocol == other.protocol && endpoint == other.endpoint && path == other.path &&
         attribute("uniqueId") == other.attribute("uniqueId") &&
         attribute("version") == other.attribute("version") &&
         attribute("serialization") == other.attribute("serialization") &&
         attribute("rpcVer") == other.attribute("rpcVer");
}

}  // namespace settee::inline v0::rpc
