// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/lines.h"

#include <set>

#include <fmt/format.h>

namespace settee::inline v0::rpc::registry {

namespace {

// What of a broken line is shown.
constexpr std::size_t kShown = 80;

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kShown)) out += c >= ' ' && c != '\x7f' ? c : '?';
  if (text.size() > kShown) out += "...";
  return out;
}

/// `provider` with what its data id says of it.
Provider named(const ServiceKey& key, Provider provider) {
  const auto say = [&](const char* name, const std::string& value) {
    if (provider.attribute(name) != value) provider.attributes.insert_or_assign(name, value);
  };
  provider = normalised(std::move(provider));
  say("uniqueId", key.unique_id);
  if (!key.version.empty()) say("version", key.version);
  return provider;
}

}  // namespace

Lines Lines::parse(std::string_view text, const Complain& complain) {
  Lines all;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    Line line;
    line.verbatim = rest;
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    if (rest.empty() || rest.starts_with('#')) {
      all.lines_.push_back(std::move(line));
      continue;
    }
    const std::size_t tab = rest.find('\t');
    const std::string_view data_id = rest.substr(0, tab);
    const std::optional<ServiceKey> key = parse_data_id(data_id);
    if (!key) {
      complain(number,
               fmt::format("'{}' does not begin with interface:version[:uniqueId]@DEFAULT and "
                           "a tab; the line is ignored",
                           shown(data_id)));
      all.lines_.push_back(std::move(line));
      continue;
    }
    line.data_id = data_id;
    line.interface_name = key->interface_name;
    rest = tab == std::string_view::npos ? std::string_view() : rest.substr(tab + 1);
    while (!rest.empty()) {
      const std::size_t next = rest.find('\t');
      const std::string_view url = rest.substr(0, next);
      rest = next == std::string_view::npos ? std::string_view() : rest.substr(next + 1);
      if (url.empty()) continue;
      Url one;
      one.text = url;
      // A url that names no protocol has that of the data id.
      const bool plain = url.substr(0, url.find('?')).find("://") == std::string_view::npos;
      Result<Provider> provider = Provider::parse(plain && key->protocol != "bolt"
                                                      ? fmt::format("{}://{}", key->protocol, url)
                                                      : std::string(url));
      if (provider && provider->endpoint.port != 0) {
        one.provider = named(*key, *std::move(provider));
      } else {
        complain(number, fmt::format("'{}' is ignored: {}", shown(url),
                                     provider ? "it has no port" : provider.error().message()));
      }
      line.urls.push_back(std::move(one));
    }
    all.lines_.push_back(std::move(line));
  }
  return all;
}

Providers Lines::of(const std::string& data_id) const {
  std::vector<Entry> entries;
  for (const Line& line : lines_) {
    if (line.data_id != data_id) continue;
    for (const Url& url : line.urls) {
      if (url.provider) entries.push_back({*url.provider, 0});
    }
  }
  return latest(entries);
}

Providers Lines::of_interface(std::string_view interface_name) const {
  std::vector<Entry> entries;
  for (const Line& line : lines_) {
    if (line.interface_name != interface_name) continue;
    for (const Url& url : line.urls) {
      if (url.provider && !switched_off(*url.provider)) entries.push_back({*url.provider, 0});
    }
  }
  return latest(entries);
}

std::vector<std::string> Lines::interfaces() const {
  std::set<std::string> names;
  for (const Line& line : lines_) {
    if (!line.interface_name.empty()) names.insert(line.interface_name);
  }
  return {names.begin(), names.end()};
}

std::size_t Lines::size() const {
  std::size_t count = 0;
  for (const Line& line : lines_) {
    for (const Url& url : line.urls) count += url.provider ? 1 : 0;
  }
  return count;
}

void Lines::put(const std::string& data_id, const Provider& provider) {
  const Url fresh{listed_url(provider), provider};
  Line* first = nullptr;
  bool put = false;
  for (Line& line : lines_) {
    if (line.data_id != data_id) continue;
    if (first == nullptr) first = &line;
    // In place, so that nobody sees the others move.
    std::erase_if(line.urls, [&](Url& url) {
      if (!url.provider || !same_address(*url.provider, provider)) return false;
      if (std::exchange(put, true)) return true;
      url = fresh;
      return false;
    });
  }
  if (put) return;
  if (first == nullptr) {
    lines_.emplace_back();
    first = &lines_.back();
    first->data_id = data_id;
    if (std::optional<ServiceKey> key = parse_data_id(data_id)) {
      first->interface_name = std::move(key->interface_name);
    }
  }
  first->urls.push_back(fresh);
}

void Lines::remove(const std::string& data_id, const Provider& provider) {
  std::erase_if(lines_, [&](Line& line) {
    if (line.data_id != data_id) return false;
    const std::size_t removed = std::erase_if(line.urls, [&](const Url& url) {
      return url.provider && same_address(*url.provider, provider);
    });
    return removed != 0 && line.urls.empty();
  });
}

std::string Lines::to_string() const {
  std::string text;
  for (const Line& line : lines_) {
    if (line.data_id.empty()) {
      text += line.verbatim;
    } else {
      text += line.data_id;
      text += '\t';
      // Java ends each url, the last one too, with a tab.
      for (const Url& url : line.urls) text += url.text + "\t";
    }
    text += '\n';
  }
  return text;
}

}  // namespace settee::inline v0::rpc::registry
