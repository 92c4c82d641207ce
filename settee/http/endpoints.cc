// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <set>
#include <tuple>

#include "settee/base/loop.h"
#include "settee/http/internal/characters.h"

namespace settee::inline v0::http {

namespace {

using Methods = std::map<std::string, std::shared_ptr<const Handler>, std::less<>>;

// "/files/*" is kept as "/files/", which no exact path of the other table can be taken for.
bool is_tree(std::string_view path) { return path.ends_with("/*"); }

}  // namespace

struct Endpoints::State {
  mutable std::mutex mutex;
  std::condition_variable gone;
  std::map<std::string, Methods, std::less<>> exact;
  std::map<std::string, Methods, std::less<>> trees;
  std::set<const Handler*> alive;  // in the tables, or held by requests

  const Methods* find(std::string_view path) const {
    if (const auto found = exact.find(path); found != exact.end()) return &found->second;
    // From the longest part of it that ends in '/'.
    while (!path.empty()) {
      const std::size_t slash = path.rfind('/');
      if (slash == std::string_view::npos) return nullptr;
      if (const auto found = trees.find(path.substr(0, slash + 1)); found != trees.end()) {
        return &found->second;
      }
      path = path.substr(0, slash);
    }
    return nullptr;
  }
};

Endpoints::Endpoints() : state_(std::make_shared<State>()) {}
Endpoints::~Endpoints() = default;

void Endpoints::add(std::string_view method, std::string_view path, Handler handler) {
  if (!path.starts_with('/') || path.find_first_of("?#") != std::string_view::npos) {
    throw Error(
        Code::kInvalidArgument,
        fmt::format("endpoint {} \"{}\": a path begins with '/' and has neither '?' nor '#'",
                    method, printable(path)));
  }
  if (!is_token(method)) {
    throw Error(Code::kInvalidArgument,
                fmt::format("endpoint {}: \"{}\" is no method", path, printable(method)));
  }
  // Who removes it hears when the last request has let it go.
  using Box = std::optional<Handler>;
  const auto release = [weak = std::weak_ptr(state_)](Box* box) {
    const Handler* const gone = &**box;
    box->reset();
    if (const auto state = weak.lock()) {
      const std::lock_guard lock(state->mutex);
      state->alive.erase(gone);
      state->gone.notify_all();
    }
    delete box;  // only now may another have its address
  };
  const std::shared_ptr<Box> box(new Box(std::move(handler)), release);
  std::shared_ptr<const Handler> held(box, &**box);
  const bool tree = is_tree(path);
  const std::string key(tree ? path.substr(0, path.size() - 1) : path);
  const std::lock_guard lock(state_->mutex);
  Methods& methods = (tree ? state_->trees : state_->exact)[key];
  if (methods.contains(method)) {
    throw Error(Code::kMisuse, fmt::format("endpoint {} {}: there is one already", method, path));
  }
  state_->alive.insert(held.get());
  methods.emplace(std::string(method), std::move(held));
}

bool Endpoints::remove(std::string_view path) {
  if (Loop::current() != nullptr) {
    throw Error(
        Code::kMisuse,
        fmt::format("Endpoints::remove(\"{}\") on a loop's thread would wait for itself", path));
  }
  const bool tree = is_tree(path);
  Methods removed;
  {
    const std::lock_guard lock(state_->mutex);
    auto& table = tree ? state_->trees : state_->exact;
    const auto found = table.find(tree ? path.substr(0, path.size() - 1) : path);
    if (found == table.end()) return false;
    removed = std::move(found->second);
    table.erase(found);
  }
  for (auto& [method, handler] : removed) {
    const Handler* const left = handler.get();
    handler.reset();
    std::unique_lock lock(state_->mutex);
    state_->gone.wait(lock, [&] { return !state_->alive.contains(left); });
  }
  return true;
}

std::vector<Endpoints::Entry> Endpoints::list() const {
  std::vector<Entry> entries;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [path, methods] : state_->exact) {
    for (const auto& [method, handler] : methods) entries.push_back({method, path});
  }
  for (const auto& [path, methods] : state_->trees) {
    for (const auto& [method, handler] : methods) entries.push_back({method, path + "*"});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.path, a.method) < std::tie(b.path, b.method);
  });
  return entries;
}

std::shared_ptr<const Handler> Endpoints::find(const Request& head, Response& otherwise) {
  const std::lock_guard lock(state_->mutex);
  const Methods* const methods = state_->find(head.path());
  if (methods == nullptr) return nullptr;
  if (const auto found = methods->find(head.method); found != methods->end()) return found->second;
  if (head.method == "HEAD") {
    if (const auto found = methods->find("GET"); found != methods->end()) return found->second;
  }
  std::string allow;
  for (const auto& [method, handler] : *methods) allow += method + ", ";
  if (methods->contains("GET") && !methods->contains("HEAD")) allow += "HEAD, ";
  allow += "OPTIONS";
  if (head.method == "OPTIONS") {
    otherwise = Response(204);
  } else {
    otherwise = Response::problem(405, fmt::format("this path takes {}", allow));
  }
  otherwise.headers.set("allow", allow);
  return nullptr;
}

}  // namespace settee::inline v0::http
