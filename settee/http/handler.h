// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Handler: a function that answers requests. Router: finds the one for a request.
//
// A handler is a coroutine on the loop of its caller's connection; what blocks belongs on a pool
// (run_on). Its Context is cancelled when the peer resets the request or its connection ends, and has
// the handler's deadline. An Error that it ends with becomes a problem (Response::problem).
//
// By default it is called when the body is there, whole and decompressed. A streaming one is called
// as soon as the head is there, and pulls the body; peers are read no faster than it does.
//
// Threads: a handler is called on several loops at once.

#pragma once

#include <chrono>
#include <functional>

#include "settee/http/message.h"

namespace settee::inline v0::http {

struct HandlerOptions {
  bool streaming = false;                ///< Called when the head is there.
  std::size_t max_body = 0;              ///< Bytes of a whole body; 0: the server's.
  std::chrono::milliseconds timeout{0};  ///< From the request's arrival; 0: the server's.
  /// In which some of a body must come that is waited for; 0: the server's. Longer for streams whose
  /// peers may be silent for a while.
  std::chrono::milliseconds body_timeout{0};
};

class Handler {
 public:
  using Function = std::function<Task<Response>(Request)>;

  explicit Handler(Function run, HandlerOptions options = {})
      : run_(std::move(run)), options_(options) {}
  Task<Response> operator()(Request request) const { return run_(std::move(request)); }
  const HandlerOptions& options() const noexcept { return options_; }

 private:
  Function run_;
  HandlerOptions options_;
};

class SETTEE_API Router {
 public:
  virtual ~Router();
  /// Who answers this request, of which the body is not there yet. Null: it is answered with
  /// `otherwise`, which is "404 Not Found" unless this changes it. HEAD comes as it is.
  virtual std::shared_ptr<const Handler> find(const Request& head, Response& otherwise) = 0;
};

}  // namespace settee::inline v0::http
