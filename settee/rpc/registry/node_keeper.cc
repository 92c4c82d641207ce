// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/node_keeper.h"

#include <fmt/format.h>

#include "settee/rpc/internal/this_host.h"

namespace settee::inline v0::rpc::registry {

NodeKeeper::NodeKeeper(Runtime& runtime, std::string url, const std::string& root,
                       const RegistryOptions& options)
    : Keeper(runtime, std::move(url), options),
      base_(root + "sofa-rpc/"),
      id_(fmt::format("{:x}", reinterpret_cast<std::uintptr_t>(this))) {}

void NodeKeeper::publish(const ServiceKey& key, const Provider& provider,
                         std::shared_ptr<Ticket> ticket) {
  const std::string path = providers_of(key) + "/" + url_encode(listed_url(provider));
  std::set<std::string> replaced;
  for (auto it = published_.begin(); it != published_.end();) {
    if (it->key == key && same_address(it->provider, provider)) {
      if (it->path != path) replaced.insert(it->path);
      it = published_.erase(it);
    } else {
      ++it;
    }
  }
  published_.push_back({key, provider, path});
  Node& node = want(path, data_of(provider.attribute("dynamic") != "false"));
  for (const std::string& older : replaced) {
    // What that one was to replace is left to this one.
    if (const auto place = nodes_.find(older); place != nodes_.end()) {
      node.replaces.merge(std::exchange(place->second.replaces, {}));
    }
  }
  node.replaces.merge(replaced);
  node.replaces.erase(path);
  if (node.state == Node::kPresent) {
    ticket->settle();
    remove_replaced(node);
  } else {
    node.waiting.push_back(std::move(ticket));
  }
}

void NodeKeeper::withdraw(const ServiceKey& key, const Provider& provider,
                          std::shared_ptr<Ticket> ticket) {
  const auto own = std::find_if(published_.begin(), published_.end(), [&](const Published& one) {
    return one.key == key && same_address(one.provider, provider);
  });
  if (own == published_.end()) return ticket->settle();  // not ours to take away
  const std::string path = own->path;
  published_.erase(own);
  unwant(path, std::move(ticket));
}

void NodeKeeper::interfaces(Names into, std::shared_ptr<Ticket> ticket) {
  asked_.emplace_back(std::move(into), std::move(ticket));
}

bool NodeKeeper::answer_asked() {
  while (!asked_.empty()) {
    if (!answer(asked_.front())) return false;
    asked_.pop_front();
  }
  return true;
}

std::string NodeKeeper::providers_of(const ServiceKey& key) const {
  return base_ + key.interface_name + "/providers";
}

std::string NodeKeeper::consumer_of(const ServiceKey& key, const ConsumerInfo& consumer) const {
  return base_ + key.interface_name + "/consumers/" +
         url_encode(consumer_url(key, consumer, own_address(), id_));
}

std::optional<Provider> NodeKeeper::provider_of(const std::string& path,
                                                std::string_view name) const {
  const Result<std::string> url = url_decode(name);
  Result<Provider> provider = url ? Provider::parse(*url) : Result<Provider>(url.error());
  if (provider) return normalised(*std::move(provider));
  log(LogLevel::kWarning,
      fmt::format("{}: {} is ignored: {}", address(), path, provider.error().message()));
  return std::nullopt;
}

NodeKeeper::Node& NodeKeeper::want(const std::string& path, std::string_view data) {
  Node& node = nodes_[path];
  if (node.state == Node::kLeaving || node.state == Node::kRefused || node.data != data) {
    settle(node.waiting, Error(Code::kCancelled, "something else was asked for meanwhile"));
    node.state = Node::kAbsent;
    node.not_before = {};
    node.pause = kFirstPause;
  }
  node.take_over = true;
  if (node.state == Node::kForeign) node.state = Node::kAbsent;
  node.data = data;
  return node;
}

void NodeKeeper::unwant(const std::string& path, std::shared_ptr<Ticket> ticket) {
  const auto place = nodes_.find(path);
  if (place == nodes_.end()) {
    if (ticket != nullptr) ticket->settle();
    return;
  }
  Node& node = place->second;
  if (node.state != Node::kLeaving) {
    settle(node.waiting, Error(Code::kCancelled, "something else was asked for meanwhile"));
  }
  remove_replaced(node);
  if (ticket != nullptr) node.waiting.push_back(std::move(ticket));
  node.state = Node::kLeaving;
  node.not_before = {};
  if (!node.tried) {
    settle(node.waiting);
    nodes_.erase(path);
  }
}

void NodeKeeper::remove_replaced(Node& node) {
  for (const std::string& older : std::exchange(node.replaces, {})) unwant(older, nullptr);
}

void NodeKeeper::lose_nodes() {
  for (auto it = nodes_.begin(); it != nodes_.end();) {
    Node& node = it->second;
    node.tried = false;
    if (node.state == Node::kLeaving) {  // it went with the session
      settle(node.waiting);
      it = nodes_.erase(it);
      continue;
    }
    if (node.state != Node::kRefused) node.state = Node::kAbsent;
    node.take_over = true;
    node.not_before = {};
    ++it;
  }
}

}  // namespace settee::inline v0::rpc::registry
