// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/etcd_server.h"

#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <thread>

#include "settee/hessian/json.h"
#include "settee/http/client.h"

namespace interop {

using namespace std::chrono_literals;
using settee::hessian::Value;

namespace {

constexpr std::chrono::seconds kStartTime{60};

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<unsigned>(kDigits.find(c));
    if ((count += 6) < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 255);
  }
  return out;
}

// The gateway writes numbers as texts, and leaves out what is 0.
std::int64_t number(const Value& value) {
  const settee::Result<std::string_view> text = value.as_string();
  return text ? std::stoll(std::string(*text)) : 0;
}

settee::RuntimeOptions quiet() {
  settee::RuntimeOptions options;
  options.threads = 1;
  options.log = [](settee::LogLevel, std::string_view, std::string_view) {};
  return options;
}

class EtcdClient final : public RegistryClient {
 public:
  explicit EtcdClient(std::string url) : url_(std::move(url)) {}

  std::optional<Node> get(const std::string& path) const override {
    const Value answer = call("kv/range", R"({"key":")" + base64(path) + R"("})");
    if (answer["kvs"].size() == 0) return std::nullopt;
    const Value& one = answer["kvs"][0];
    return Node{text(one["value"]), number(one["lease"]), number(one["create_revision"])};
  }
  std::vector<std::string> children(const std::string& path) const override {
    const Value answer =
        call("kv/range", R"({"key":")" + base64(path + "/") + R"(","range_end":")" +
                             base64(path + "0") + R"(","keys_only":true})");
    std::set<std::string> names;
    for (const Value& one : answer["kvs"].items()) {
      const std::string rest = text(one["key"]).substr(path.size() + 1);
      names.insert(rest.substr(0, rest.find('/')));
    }
    return {names.begin(), names.end()};
  }
  void create(const std::string& path, const std::string& data, bool ephemeral) const override {
    std::string lease = "0";
    if (ephemeral) lease = std::to_string(number(call("lease/grant", R"({"TTL":"600"})")["ID"]));
    put(path, data, lease);
  }
  void set(const std::string& path, const std::string& data) const override {
    const std::optional<Node> node = get(path);
    if (!node) throw std::runtime_error("set " + path + ": there is none");
    put(path, data, std::to_string(node->owner));
  }
  void remove(const std::string& path) const override {
    call("kv/deleterange", R"({"key":")" + base64(path) + R"("})");
  }
  Value call(const std::string& path, const std::string& json) const {
    settee::http::Request request;
    request.method = "POST";
    request.target = "/v3/" + path;
    request.body = json;
    const settee::http::Response answer = client_.send(url_, std::move(request)).get();
    if (answer.status != 200) {
      throw std::runtime_error(path + ": " + std::string(answer.body.text()));
    }
    return settee::json::parse_value(answer.body.text()).value();
  }

 private:
  static std::string text(const Value& value) {
    const settee::Result<std::string_view> encoded = value.as_string();
    return encoded ? from_base64(*encoded) : "";
  }
  void put(const std::string& path, const std::string& data, const std::string& lease) const {
    call("kv/put", R"({"key":")" + base64(path) + R"(","value":")" + base64(data) +
                       R"(","lease":")" + lease + R"("})");
  }
  const std::string url_;
  settee::Runtime runtime_{quiet()};
  mutable settee::http::Client client_{runtime_};
};

}  // namespace

EtcdServer::EtcdServer(bool started) {
  std::string pattern = std::filesystem::temp_directory_path() / "etcd.XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  folder_ = pattern;
  port_ = free_port();
  peer_port_ = free_port();
  if (started) start();
}

EtcdServer::~EtcdServer() {
  child_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<RegistryClient> EtcdServer::client() const {
  return std::make_unique<EtcdClient>("http://" + address());
}

void EtcdServer::start() {
  const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
  // Short ticks allow leases of two seconds.
  child_.emplace(std::vector<std::string>{"etcd",
                                          "--data-dir",
                                          folder_ + "/data",
                                          "--listen-client-urls",
                                          "http://" + address(),
                                          "--advertise-client-urls",
                                          "http://" + address(),
                                          "--listen-peer-urls",
                                          peer,
                                          "--initial-advertise-peer-urls",
                                          peer,
                                          "--initial-cluster",
                                          "default=" + peer,
                                          "--heartbeat-interval",
                                          "50",
                                          "--election-timeout",
                                          "500",
                                          "--logger",
                                          "zap",
                                          "--log-level",
                                          "error"});
  const auto end = std::chrono::steady_clock::now() + kStartTime;
  while (post("kv/range", R"({"key":"YQ=="})").find("header") == std::string::npos) {
    if (std::chrono::steady_clock::now() > end) {
      throw std::runtime_error("etcd does not serve on " + address() +
                               " (./setup --peers installs it)\n" + child_->errors());
    }
    std::this_thread::sleep_for(20ms);
  }
}

void EtcdServer::kill() {
  child_->kill(SIGKILL);
  child_->wait(30s);
  child_.reset();
}

void EtcdServer::lose_data() { std::filesystem::remove_all(folder_ + "/data"); }
void EtcdServer::suspend() { child_->kill(SIGSTOP); }
void EtcdServer::resume() { child_->kill(SIGCONT); }

std::string EtcdServer::post(const std::string& path, const std::string& json) const {
  try {
    const EtcdClient client("http://" + address());
    return settee::json::to_text(client.call(path, json));
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace interop
