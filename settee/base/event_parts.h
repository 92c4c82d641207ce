// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// EventText, Momentary: members of events. An event that nobody queues copies nothing: its texts are
// views of what the publisher has. Who copies the event (a queue does) gets copies of the texts, and
// loses what only holds while the event is published.
//
//   struct CallStarted { EventText service; Momentary<Context> context; };
//
// Threads: plain values.

#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "settee/base/export.h"

namespace settee::inline v0 {

/// A text that is a view when made, and owns its characters when copied.
class SETTEE_API EventText {
 public:
  EventText() noexcept = default;
  /// A view of it.
  template <class Text>
    requires(std::convertible_to<const Text&, std::string_view> &&
             !std::same_as<std::remove_cvref_t<Text>, EventText>)
  EventText(const Text& text) noexcept : text_(text) {}  // NOLINT: it is one
  EventText(const EventText& other);
  EventText(EventText&& other) noexcept = default;
  EventText& operator=(EventText other) noexcept {
    std::swap(text_, other.text_);
    std::swap(owned_, other.owned_);
    return *this;
  }

  std::string_view view() const noexcept { return text_; }
  operator std::string_view() const noexcept { return text_; }  // NOLINT: it is one
  friend bool operator==(const EventText& a, std::string_view b) noexcept { return a.text_ == b; }

 private:
  std::string_view text_;
  std::unique_ptr<char[]> owned_;
};

/// A pointer to what only exists while the event is published: null in copies.
template <class T>
class Momentary {
 public:
  Momentary() noexcept = default;
  Momentary(T* thing) noexcept : thing_(thing) {}  // NOLINT: it is one
  Momentary(const Momentary&) noexcept {}
  Momentary& operator=(const Momentary&) noexcept {
    thing_ = nullptr;
    return *this;
  }
  Momentary& operator=(T* thing) noexcept {
    thing_ = thing;
    return *this;
  }

  T* get() const noexcept { return thing_; }
  T* operator->() const noexcept { return thing_; }
  T& operator*() const noexcept { return *thing_; }
  explicit operator bool() const noexcept { return thing_ != nullptr; }

 private:
  T* thing_ = nullptr;
};

}  // namespace settee::inline v0
