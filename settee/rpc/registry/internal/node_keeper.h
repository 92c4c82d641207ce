// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// NodeKeeper: what the keepers of all servers that list by nodes have in common: the books. Its
// owner is the server's own keeper, whose step() makes the server's state fit them. With etcd a
// node is a key.
//
//   <root>sofa-rpc/<interface>/providers/<URL-encoded url>    data: online or offline
//   <root>sofa-rpc/<interface>/consumers/<URL-encoded url>
//
// Threads: all is for the keeper's thread.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/rpc/registry/internal/keeper.h"
#include "settee/rpc/registry/internal/names.h"

namespace settee::inline v0::rpc::registry {

// Pauses before what failed is asked for again.
inline constexpr std::chrono::milliseconds kFirstPause{100};
inline constexpr std::chrono::milliseconds kLongestPause{10'000};
// After somebody else has deleted our node, or put another in its place.
inline constexpr std::chrono::milliseconds kDeletedPause{1'000};

/// A provider's node, as read.
struct ListedNode {
  bool online = true;
  std::int64_t registered = 0;       // when, in any rising number
  std::optional<Provider> provider;  // none: unreadable
};

/// A service that is listened to.
struct ListedService {
  bool listed = false;  // children say what the server once said
  TimePoint not_before{};
  std::chrono::milliseconds pause = kFirstPause;
  Listenings listenings;
  std::string consumer;  // the path of our node
};

class NodeKeeper : public Keeper {
 public:
  void publish(const ServiceKey& key, const Provider& provider,
               std::shared_ptr<Ticket> ticket) final;
  void withdraw(const ServiceKey& key, const Provider& provider,
                std::shared_ptr<Ticket> ticket) final;
  void interfaces(Names into, std::shared_ptr<Ticket> ticket) final;

 protected:
  /// `root`: with slashes at both ends.
  NodeKeeper(Runtime& runtime, std::string url, const std::string& root,
             const RegistryOptions& options);

  /// A node that we want to be there, or to be gone. It goes with our session.
  struct Node {
    enum State {
      kAbsent,   ///< is to be made
      kPresent,  ///< is there, and ours
      kForeign,  ///< is there; another process has made it anew after us
      kRefused,  ///< cannot be made
      kLeaving,  ///< is to be deleted
    };
    State state = kAbsent;
    std::string data;
    bool tried = false;              // in this session: it may be there
    bool take_over = true;           // what another session has made is the past
    std::set<std::string> replaces;  // older nodes of ours, to be deleted when this is there
    TimePoint not_before{};
    std::chrono::milliseconds pause = kFirstPause;
    Tickets waiting;
  };
  /// Who asks for the interfaces.
  using Asked = std::pair<Names, std::shared_ptr<Ticket>>;

  /// The data of a provider's node.
  virtual std::string_view data_of(bool online) const = 0;
  /// Settles the ticket. False: there is no connection.
  virtual bool answer(const Asked& asked) = 0;
  /// All who ask for the interfaces. False: there is no connection.
  bool answer_asked();

  /// Without a slash at its end.
  std::string providers_of(const ServiceKey& key) const;
  std::string consumer_of(const ServiceKey& key, const ConsumerInfo& consumer) const;
  /// What the name of the node `path` says; nothing, and it is logged, if that cannot be read.
  std::optional<Provider> provider_of(const std::string& path, std::string_view name) const;

  Node& want(const std::string& path, std::string_view data);
  /// `ticket`: null if nobody waits.
  void unwant(const std::string& path, std::shared_ptr<Ticket> ticket);
  /// `node` is there: what it replaces is to go.
  void remove_replaced(Node& node);
  /// The session has ended, and all nodes with it: they are to be made again, but those refused.
  void lose_nodes();

  const std::string base_;             // with a slash at its end
  std::map<std::string, Node> nodes_;  // by path

 private:
  struct Published {
    ServiceKey key;
    Provider provider;
    std::string path;
  };

  const std::string id_;  // tells the consumers' nodes of this process apart
  std::deque<Asked> asked_;
  std::vector<Published> published_;
};

/// A NodeKeeper with its services. `Service` extends ListedService by what the server needs and by
/// `children`, a map of ListedNode or what extends it.
template <class Service>
class ServiceKeeper : public NodeKeeper {
 protected:
  using NodeKeeper::NodeKeeper;

  void begin(std::shared_ptr<Listening> listening, const ConsumerInfo& consumer) final {
    Service& service = services_[providers_of(listening->key())];
    if (service.listed) tell({listening}, listed(service));
    // One node says for all watches of this service that somebody consumes it.
    if (service.listenings.empty()) {
      service.consumer = consumer_of(listening->key(), consumer);
      want(service.consumer, "");
    }
    service.listenings.push_back(std::move(listening));
  }

  void end(const std::shared_ptr<Listening>& listening) final {
    const auto place = services_.find(providers_of(listening->key()));
    if (place == services_.end()) return;
    Service& service = place->second;
    std::erase(service.listenings, listening);
    if (!service.listenings.empty()) return;
    unwant(service.consumer, nullptr);
    services_.erase(place);
  }

  static Providers listed(const Service& service) {
    std::vector<Entry> entries;
    for (const auto& [name, child] : service.children) {
      if (child.online && child.provider && !switched_off(*child.provider)) {
        entries.push_back({*child.provider, child.registered});
      }
    }
    return latest(entries);
  }

  std::map<std::string, Service> services_;  // by the path of its providers
};

}  // namespace settee::inline v0::rpc::registry
