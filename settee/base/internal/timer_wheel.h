// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A hierarchical timer wheel: arming and disarming cost a few instructions however many timers
// there are. Level k has 64 slots of 64^k milliseconds; a timer lies on the level of the highest
// six bits in which its tick differs from the wheel's, and moves down as that time comes near. The
// wheel's own tick never passes the end of the last level: there is no wrapping round.

#pragma once

#include <array>
#include <cstdint>

#include "settee/base/loop.h"

namespace settee::inline v0 {

class SETTEE_API TimerWheel {
 public:
  /// `tick`s are milliseconds since the wheel's own beginning.
  void insert(Timer& timer, std::uint64_t tick) noexcept;
  void remove(Timer& timer) noexcept;
  /// Moves time forward; `fire(Timer&)` is called for each timer that is due, already removed.
  template <class Fire>
  void advance(std::uint64_t now, Fire fire);
  /// The tick at which there is something to do, or UINT64_MAX.
  std::uint64_t next() const noexcept;
  std::uint64_t tick() const noexcept { return tick_; }

 private:
  static constexpr int kBits = 6;
  static constexpr int kLevels = 7;  // 2^42 ms: the wheel turns for 139 years
  struct Level {
    std::uint64_t occupied = 0;
    std::array<Timer*, 64> slots{};
  };
  struct Due {
    int level;
    int slot;
    std::uint64_t tick;
  };
  bool find(Due& due) const noexcept;

  std::uint64_t tick_ = 0;
  std::array<Level, kLevels> levels_;
};

template <class Fire>
void TimerWheel::advance(std::uint64_t now, Fire fire) {
  Due due;
  while (find(due) && due.tick <= now) {
    tick_ = due.tick;
    Level& level = levels_[static_cast<std::size_t>(due.level)];
    Timer*& slot = level.slots[static_cast<std::size_t>(due.slot)];
    while (slot != nullptr) {
      Timer& timer = *slot;
      const std::uint64_t tick = timer.tick_;
      remove(timer);
      if (tick <= tick_) {
        fire(timer);
      } else {
        insert(timer, tick);
      }
    }
  }
  if (now > tick_) tick_ = now;
}

}  // namespace settee::inline v0
