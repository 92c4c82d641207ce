// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "settee/rpc/internal/this_host.h"
#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry {

namespace {

// Java peers compare it: they write headers and Hessian's newer forms to those of at least 5.10.0.
constexpr std::string_view kRpcVersion = "51403";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '*' || c == '_';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string url_encode(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (is_plain(c)) {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Result<std::string> url_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error(Code::kDecode,
                     fmt::format("'%' at offset {} without two hexadecimal digits", i));
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string data_id(const ServiceKey& key) {
  return key.unique_name() + "@" + (key.protocol == "bolt" ? "DEFAULT" : key.protocol);
}

std::optional<ServiceKey> parse_data_id(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view protocol = text.substr(at + 1);
  text = text.substr(0, at);
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos) return std::nullopt;
  ServiceKey key;
  key.interface_name = text.substr(0, first);
  text.remove_prefix(first + 1);
  const std::size_t second = text.find(':');
  key.version = text.substr(0, second);
  if (second != std::string_view::npos) key.unique_id = text.substr(second + 1);
  key.protocol = protocol == "DEFAULT" ? "bolt" : protocol;
  return key;
}

Result<Provider> announced(const ServiceKey& key, Provider provider) {
  const auto wrong = [&](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("publish {} at {}://{}: {}", key.unique_name(), provider.protocol,
                             provider.endpoint.to_string(), why));
  };
  if (key.interface_name.empty()) return wrong("the service has no interface name");
  if (key.interface_name.find_first_of("/\t\r\n") != std::string::npos) {
    return wrong("the interface name has characters that no registry can keep");
  }
  const net::Endpoint& endpoint = provider.endpoint;
  if (endpoint.unix_path) return wrong("a Unix socket cannot be reached from other machines");
  if (endpoint.host.empty() || endpoint.host == "0.0.0.0" || endpoint.host == "::") {
    return wrong("it means all addresses of this machine; name the one that others connect to");
  }
  if (endpoint.port == 0) return wrong("port 0 is none to connect to");
  if (provider.protocol != key.protocol) {
    return wrong(fmt::format("the service's protocol is '{}'", key.protocol));
  }
  if (const auto id = provider.attributes.find("uniqueId");
      id != provider.attributes.end() && id->second != key.unique_id) {
    return wrong(
        fmt::format("its uniqueId is '{}', that of the service '{}'", id->second, key.unique_id));
  }
  Provider::Attributes& attributes = provider.attributes;
  // Java compares uniqueId as it stands: a provider without the attribute is not found there.
  attributes.insert_or_assign("uniqueId", key.unique_id);
  attributes.insert_or_assign("interface", key.interface_name);
  attributes.insert_or_assign("version", key.version);
  attributes.insert_or_assign("protocol", key.protocol);
  attributes.try_emplace("weight", std::to_string(provider.weight()));
  attributes.try_emplace("language", "cpp");
  attributes.try_emplace("pid", std::to_string(getpid()));
  attributes.try_emplace("startTime", std::to_string(milliseconds_now()));
  attributes.try_emplace("rpcVer", std::string(kRpcVersion));
  return provider;
}

std::string listed_url(const Provider& provider) {
  Provider rest = provider;
  const std::string version(rest.attribute("version"));
  const bool had_one = rest.attributes.erase("version") != 0;
  std::string url = rest.to_string();
  if (!had_one) return url;
  Provider first;
  first.attributes["version"] = version;
  const std::string pair = first.to_string();
  const std::size_t mark = url.find('?');
  const std::string_view shown = std::string_view(pair).substr(pair.find('?'));
  if (mark == std::string::npos) return url.append(shown);
  return url.replace(mark, 1, std::string(shown) + "&");
}

std::string consumer_url(const ServiceKey& key, const ConsumerInfo& consumer, std::string_view host,
                         std::string_view id) {
  Provider url;
  url.protocol = key.protocol;
  url.attributes = {{"version", key.version},
                    {"uniqueId", key.unique_id},
                    {"interface", key.interface_name},
                    {"appName", consumer.app_name},
                    {"timeout", std::to_string(consumer.timeout.count())},
                    {"generic", consumer.generic ? "true" : "false"},
                    {"id", std::string(id)},
                    {"pid", std::to_string(getpid())},
                    {"startTime", std::to_string(milliseconds_now())},
                    {"language", "cpp"},
                    {"rpcVer", std::string(kRpcVersion)}};
  // A consumer has no port: what listed_url() makes is cut out behind it.
  const std::string listed = listed_url(url);
  return fmt::format("{}://{}{}", key.protocol, host, listed.substr(listed.find('?')));
}

Provider normalised(Provider provider) {
  if (const std::string_view version = provider.attribute("default.version");
      !version.empty() && provider.attribute("version").empty()) {
    provider.attributes.insert_or_assign("version", std::string(version));
  }
  return provider;
}

bool switched_off(const Provider& provider) {
  const std::string_view category = provider.attribute("category");
  return provider.attribute("enabled") == "false" || provider.attribute("disabled") == "true" ||
         (!category.empty() && category != "providers");
}

bool same_address(const Provider& a, const Provider& b) {
  return a.protocol == b.protocol && a.endpoint == b.endpoint && a.path == b.path;
}

Providers latest(const std::vector<Entry>& entries) {
  Providers all;
  // What same_as() compares, for lists of thousands.
  std::map<std::string, std::pair<std::size_t, std::int64_t>> places;
  for (const Entry& entry : entries) {
    const Provider& provider = entry.provider;
    std::string same =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", provider.protocol, provider.endpoint.to_string(),
                    provider.path, provider.attribute("uniqueId"), provider.attribute("version"),
                    provider.attribute("serialization"), provider.attribute("rpcVer"));
    const auto [place, fresh] =
        places.try_emplace(std::move(same), std::pair(all.size(), entry.registered));
    if (fresh) {
      all.push_back(provider);
    } else if (entry.registered >= place->second.second) {
      place->second.second = entry.registered;
      all[place->second.first] = provider;
    }
  }
  return all;
}

std::string in_words(std::chrono::milliseconds time) {
  using namespace std::chrono_literals;
  time = std::max(time, 0ms);  // clocks are set back
  if (time < 1s) return fmt::format("{} ms", time.count());
  if (time < 2min) return fmt::format("{} s", time / 1s);
  if (time < 2h) return fmt::format("{} min", time / 1min);
  if (time < 48h) return fmt::format("{} h", time / 1h);
  return fmt::format("{} days", time / 24h);
}

Result<RegistryAddress> RegistryAddress::parse(std::string_view url, std::string_view scheme,
                                               std::uint16_t default_port) {
  const auto wrong = [url, scheme](std::string_view why) {
    return Error(Code::kInvalidArgument,
                 fmt::format("registry '{}': {}; expected {}://host:port[,host:port...][/root]",
                             url, why, scheme));
  };
  const std::string begin = fmt::format("{}://", scheme);
  if (!url.starts_with(begin)) return wrong(fmt::format("it does not begin with {}", begin));
  std::string_view rest = url.substr(begin.size());
  RegistryAddress address;
  address.root = "/";
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    std::string_view root = rest.substr(slash);
    rest = rest.substr(0, slash);
    if (root.find_first_of("?#") != std::string_view::npos) {
      return wrong("parameters are not supported");
    }
    if (root.find("//") != std::string_view::npos) return wrong("its root has an empty part");
    address.root = root;
    if (!root.ends_with('/')) address.root += '/';
  }
  if (rest.find_first_of("?#@") != std::string_view::npos) {
    return wrong("parameters and users are not supported");
  }
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view server = rest.substr(0, comma);
    if (server.empty()) return wrong("a server is missing");
    Result<net::Endpoint> endpoint = net::Endpoint::parse(server, default_port);
    if (!endpoint) return wrong(endpoint.error().message());
    if (endpoint->unix_path) return wrong("it has no Unix sockets");
    address.servers.push_back(*std::move(endpoint));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return address;
}

std::string RegistryAddress::hosts() const {
  std::string text;
  for (const net::Endpoint& server : servers)
    text += (text.empty() ? "" : ",") + server.to_string();
  return text;
}

}  // namespace settee::inline v0::rpc::registry
