// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Endpoints: a table of paths and their handlers, to which parts of a program add and from which
// they take away while a server serves it. The components of a Runtime share the one that
// `runtime.part<Endpoints>()` gives.
//
//   Endpoints& table = *runtime.part<Endpoints>();
//   table.add("GET", "/metrics", metrics);        // Task<Response> metrics(Request)
//   table.add("GET", "/files/*", others);         // and all below it
//   table.remove("/metrics");
//
// A path is matched as a whole; one that ends in "/*" also matches what is below it, and the longest
// such wins. A handler of GET answers HEAD as well; OPTIONS is answered with the methods there are.
//
// Threads: all members from any thread; remove() not on a loop's.

#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "settee/http/handler.h"

namespace settee::inline v0::http {

class SETTEE_API Endpoints final : public Router {
 public:
  Endpoints();
  ~Endpoints() override;

  /// An Error (kMisuse) if method and path are taken, kInvalidArgument for a path without '/'.
  void add(std::string_view method, std::string_view path, Handler handler);
  void add(std::string_view method, std::string_view path, Handler::Function run,
           HandlerOptions options = {}) {
    add(method, path, Handler(std::move(run), options));
  }
  /// Takes all methods of a path away; when it returns none of their handlers runs and their functions
  /// have been destroyed; a request whose body is on its way still gets its answer. False if there is
  /// none. An Error (kMisuse) on a loop's thread.
  bool remove(std::string_view path);

  struct Entry {
    std::string method;
    std::string path;
  };
  /// By path, then method.
  std::vector<Entry> list() const;

  std::shared_ptr<const Handler> find(const Request& head, Response& otherwise) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace settee::inline v0::http
