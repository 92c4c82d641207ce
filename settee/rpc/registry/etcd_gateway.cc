// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/etcd_gateway.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>

#include "settee/hessian/json.h"

namespace settee::inline v0::rpc::registry::etcd {

namespace {

// gRPC's codes, which the gateway has in its errors.
constexpr std::int64_t kInvalidArgument = 3;
constexpr std::int64_t kNotFound = 5;
constexpr std::int64_t kPermissionDenied = 7;
constexpr std::int64_t kFailedPrecondition = 9;
constexpr std::int64_t kOutOfRange = 11;
constexpr std::int64_t kUnavailable = 14;
constexpr std::int64_t kUnauthenticated = 16;
// An answer of a watch has the changes of one revision, or some of many.
constexpr std::size_t kLongestAnswer = 64 * 1024 * 1024;

std::string quoted(std::string_view text) {
  Result<std::string> json = json::to_json(std::string(text));
  return json ? *std::move(json) : "\"\"";
}

std::string_view text_at(const hessian::Value& value, std::string_view name) {
  const hessian::Value& text = value[name];
  const Result<std::string_view> view = text.as_string();
  return view ? *view : std::string_view();
}

// What is wrong with the question, or with what its asker may do, does not pass by itself.
bool is_final(std::int64_t code) {
  return code == kInvalidArgument || code == kPermissionDenied || code == kFailedPrecondition ||
         code == kOutOfRange;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::int64_t number(const hessian::Value& value) {
  if (const Result<std::int64_t> plain = value.as_long()) return *plain;
  std::int64_t out = 0;
  if (const Result<std::string_view> text = value.as_string()) {
    std::from_chars(text->data(), text->data() + text->size(), out);
  }
  return out;
}

std::vector<hessian::Value> Watching::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

std::optional<Error> Watching::ended() const {
  const std::lock_guard lock(mutex_);
  return answers_.empty() ? ended_ : std::nullopt;
}

void Watching::put(hessian::Value answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  wake_();
}

void Watching::end(Error why) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = std::move(why);
  }
  wake_();
}

Gateway::Gateway(Runtime& runtime, RegistryAddress servers, std::string auth,
                 std::chrono::milliseconds timeout)
    : servers_(std::move(servers)),
      user_(auth.substr(0, auth.find(':'))),
      password_(auth.find(':') == std::string::npos ? "" : auth.substr(auth.find(':') + 1)),
      timeout_(timeout) {
  RuntimeOptions options;
  options.threads = 1;
  options.name = "etcd";
  options.pool.core = 1;  // looks up names
  options.log = [&runtime](LogLevel level, std::string_view component, std::string_view message) {
    runtime.log(level, component, message);
  };
  own_ = std::make_unique<Runtime>(std::move(options));
  http::ClientOptions client;
  client.max_connections = 10'000;  // one for each watch
  client.connect_timeout = timeout;
  client.timeout = timeout;
  client_ = std::make_unique<http::Client>(*own_, client);
}

Gateway::~Gateway() {
  client_->stop();
  own_->stop();
}

http::Request Gateway::request(std::string_view path, const std::string& json) const {
  http::Request request;
  request.method = "POST";
  request.target = fmt::format("/v3/{}", path);
  request.headers.add("content-type", "application/json");
  if (!token_.empty()) request.headers.add("authorization", token_);
  request.body = json;
  return request;
}

Gateway::Answer Gateway::ask(const net::Endpoint& server, std::string_view path,
                             const std::string& json) {
  Answer answer;
  http::Response response;
  try {
    response = client_->send("http://" + server.to_string(), request(path, json)).get();
  } catch (const Error& error) {
    answer.failure = Failure::kConnection;
    answer.why = error.message();
    return answer;
  }
  const std::string_view text = response.body.text();
  Result<hessian::Value> value = json::parse_value(text);
  if (response.status == 200 && value) {
    answer.value = *std::move(value);
    return answer;
  }
  answer.failure = Failure::kLater;
  if (!value) {
    answer.why = fmt::format("its answer (status {}) is no JSON of etcd's gateway: {}",
                             response.status, value.error().message());
    return answer;
  }
  const std::int64_t code = number((*value)["code"]);
  answer.why = text_at(*value, "error");
  if (answer.why.empty()) answer.why = fmt::format("status {}", response.status);
  if (is_final(code)) answer.failure = Failure::kRefused;
  if (code == kUnavailable || response.status == 503) answer.failure = Failure::kConnection;
  if (code == kNotFound && answer.why.find("lease") != std::string::npos) {
    answer.failure = Failure::kLease;
  }
  if (code == kUnauthenticated) token_.clear();
  return answer;
}

Gateway::Answer Gateway::authenticate(const net::Endpoint& server) {
  Answer answer =
      ask(server, "auth/authenticate",
          fmt::format(R"({{"name":{},"password":{}}})", quoted(user_), quoted(password_)));
  if (answer.ok()) {
    token_ = text_at(answer.value, "token");
  } else {
    answer.why = fmt::format("the user of RegistryOptions::auth: {}", answer.why);
  }
  return answer;
}

Gateway::Answer Gateway::call(std::string_view path, const std::string& json) {
  Answer answer;
  std::string all;
  for (std::size_t i = 0; i < servers_.servers.size(); ++i) {
    const std::size_t index = (first_ + i) % servers_.servers.size();
    const net::Endpoint& server = servers_.servers[index];
    // Tokens end after some minutes; whose has is told so, and asks for another.
    for (int tries = 0; tries < 2; ++tries) {
      if (!user_.empty() && token_.empty()) answer = authenticate(server);
      if (user_.empty() || !token_.empty()) answer = ask(server, path, json);
      if (answer.ok() || user_.empty() || !token_.empty()) break;
    }
    if (answer.failure != Failure::kConnection) {
      first_ = index;
      if (!answer.ok()) answer.why = fmt::format("{}: {}", server.to_string(), answer.why);
      return answer;
    }
    all += fmt::format("{}{} {}", all.empty() ? "" : "; ", server.to_string(), answer.why);
  }
  first_ = (first_ + 1) % servers_.servers.size();
  answer.why = std::move(all);
  return answer;
}

std::shared_ptr<Watching> Gateway::watch(const std::string& json, std::function<void()> wake) {
  auto watching = std::make_shared<Watching>(std::move(wake));
  const ContextScope scope(watching->cancel_.context());
  own_->spawn(follow(*client_, "http://" + servers_.servers[first_].to_string(),
                     request("watch", json), watching));
  return watching;
}

Task<void> Gateway::follow(http::Client& client, std::string url, http::Request request,
                           std::shared_ptr<Watching> watching) {
  http::SendOptions options;
  options.streaming = true;
  options.timeout = std::chrono::milliseconds(-1);
  Task<http::Response> sending = client.send(url, std::move(request), options);
  Result<http::Response> response = co_await as_result(std::move(sending));
  if (!response) {
    watching->end(response.error());
    co_return;
  }
  std::string text;
  std::size_t searched = 0;  // of it, for the end of a line
  for (;;) {
    Result<std::optional<Bytes>> part = co_await as_result(response->body.next());
    if (!part || !*part) {
      watching->end(part ? Error(Code::kConnectionClosed, "the server has ended the watch")
                         : part.error());
      co_return;
    }
    text += (*part)->view();
    std::size_t from = 0;
    for (std::size_t end = searched; (end = text.find('\n', end)) != std::string::npos;
         from = ++end) {
      const std::string_view line = std::string_view(text).substr(from, end - from);
      Result<hessian::Value> value = json::parse_value(line);
      if (!value || (*value)["result"].is_null()) {
        watching->end(Error(Code::kPeerError, fmt::format("watch: {}", line.substr(0, 200))));
        co_return;
      }
      watching->put((*value)["result"]);
    }
    text.erase(0, from);
    searched = text.size();
    if (text.size() > kLongestAnswer) {
      watching->end(Error(Code::kLimit,
                          fmt::format("watch: an answer of more than {} bytes", kLongestAnswer)));
      co_return;
    }
  }
}

}  // namespace settee::inline v0::rpc::registry::etcd
