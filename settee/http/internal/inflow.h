// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Inflow: a body on its way from a connection to who pulls it. All on the connection's loop.

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "settee/base/detail/parking.h"
#include "settee/base/loop.h"
#include "settee/http/message.h"

namespace settee::inline v0::http {

struct Inflow {
  /// Who brings it.
  class Bringer {
   public:
    /// The reader waits for more.
    virtual void want_body() = 0;
    /// The reader has taken so much of it.
    virtual void taken(std::size_t size) = 0;

   protected:
    ~Bringer() = default;
  };

  Loop* loop = nullptr;
  Bringer* bringer = nullptr;  // null: nobody to give credit to any more
  const char* reading = "";    // for the Error of a wait that was ended
  std::deque<Bytes> parts;
  Buffer tail;               // what comes in small pieces, behind the parts
  std::size_t buffered = 0;  // bytes of both
  bool ended = false;
  std::optional<Error> error;
  Headers trailers;
  std::shared_ptr<settee::detail::Parking::State> reader;
  TimePoint wanted;  // since when the reader waits

  void add(std::span<const std::uint8_t> data);
  std::optional<Bytes> take();
  void wake();
};

/// What the reader has of it.
class IncomingBody : public BodySource {
 public:
  IncomingBody(std::shared_ptr<Inflow> inflow, std::optional<std::uint64_t> size)
      : inflow_(std::move(inflow)), size_(size) {}

  Task<std::optional<Bytes>> next() override;
  Headers trailers() override { return inflow_->trailers; }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  std::shared_ptr<Inflow> inflow_;
  std::optional<std::uint64_t> size_;
};

}  // namespace settee::inline v0::http
