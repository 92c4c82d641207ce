// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/inflow.h"

#include "settee/base/runtime.h"

namespace settee::inline v0::http {

namespace {

// Smaller pieces of a body are kept together: each by itself would cost more than it counts for.
constexpr std::size_t kSmallPart = 4096;

}  // namespace

void Inflow::add(std::span<const std::uint8_t> data) {
  buffered += data.size();
  const bool small = data.size() < kSmallPart;
  if (small) tail.append(data.data(), data.size());
  if (!tail.empty() && (!small || tail.size() >= kSmallPart)) {
    parts.push_back(tail.bytes());
    tail.clear();
  }
  if (!small) parts.emplace_back(data);
}

std::optional<Bytes> Inflow::take() {
  Bytes part;
  if (!parts.empty()) {
    part = std::move(parts.front());
    parts.pop_front();
  } else if (!tail.empty()) {
    part = tail.bytes();
    tail.clear();
  } else {
    return std::nullopt;
  }
  buffered -= part.size();
  return part;
}

void Inflow::wake() {
  if (reader) settee::detail::Parking::wake(reader);
}

Task<std::optional<Bytes>> IncomingBody::next() {
  const std::shared_ptr<Inflow> in = inflow_;
  if (!in->loop->in_loop()) co_await resume_on(*in->loop);
  for (;;) {
    if (std::optional<Bytes> part = in->take()) {
      if (in->bringer != nullptr) in->bringer->taken(part->size());
      co_return part;
    }
    if (in->error) co_return *in->error;
    if (in->ended) co_return std::optional<Bytes>();
    if (in->bringer != nullptr) in->bringer->want_body();
    settee::detail::Parking parking;
    in->reader = parking.waker();
    in->wanted = in->loop->now();
    const settee::detail::Parking::Reason reason = co_await parking.wait();
    in->reader.reset();
    if (reason != settee::detail::Parking::Reason::kWoken) {
      co_return settee::detail::Parking::error(reason, in->reading);
    }
  }
}

}  // namespace settee::inline v0::http
