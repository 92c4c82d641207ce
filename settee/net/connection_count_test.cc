// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/net/connection_count.h"

#include <gtest/gtest.h>

namespace settee::net {
namespace {

using Room = ConnectionCount::Room;

SocketAddress at(const std::string& host) {
  return resolve_numeric(Endpoint::at(host, 80)).value().at(0);
}

TEST(ConnectionCountTest, ConnectionsHaveANumberInAll) {
  ConnectionCount count(2, 0);
  EXPECT_EQ(count.enter(at("10.0.0.1")), Room::kYes);
  EXPECT_EQ(count.enter(at("10.0.0.1")), Room::kYes);
  EXPECT_EQ(count.enter(at("10.0.0.2")), Room::kNoneAtAll);
  EXPECT_EQ(count.all(), 2u);
  count.leave(at("10.0.0.1"));
  EXPECT_EQ(count.enter(at("10.0.0.2")), Room::kYes);
}

TEST(ConnectionCountTest, AnAddressHasItsShareAndOthersTheirs) {
  ConnectionCount count(10, 2);
  for (const char* peer : {"10.0.0.1", "10.0.0.2", "2001:db8::1"}) {
    EXPECT_EQ(count.enter(at(peer)), Room::kYes) << peer;
    EXPECT_EQ(count.enter(at(peer)), Room::kYes) << peer;
    EXPECT_EQ(count.enter(at(peer)), Room::kNoneForPeer) << peer;
  }
  EXPECT_EQ(count.all(), 6u);
  count.leave(at("10.0.0.1"));
  EXPECT_EQ(count.enter(at("10.0.0.2")), Room::kNoneForPeer);
  EXPECT_EQ(count.enter(at("10.0.0.1")), Room::kYes);
}

TEST(ConnectionCountTest, WhatOneHostCanChooseFromIsOnePeer) {
  ConnectionCount count(10, 1);
  EXPECT_EQ(count.enter(at("2001:db8::1")), Room::kYes);
  EXPECT_EQ(count.enter(at("2001:db8::2:3")), Room::kNoneForPeer);
  EXPECT_EQ(count.enter(at("2001:db8:0:1::1")), Room::kYes);
  EXPECT_EQ(count.enter(at("192.0.2.7")), Room::kYes);
  EXPECT_EQ(count.enter(at("::ffff:192.0.2.7")), Room::kNoneForPeer);
}

TEST(ConnectionCountTest, UnixSocketsHaveNoAddressToTellApart) {
  ConnectionCount count(10, 1);
  EXPECT_EQ(count.enter(at("unix:/run/a.sock")), Room::kYes);
  EXPECT_EQ(count.enter(at("unix:/run/a.sock")), Room::kYes);
  count.leave(at("unix:/run/a.sock"));
  EXPECT_EQ(count.all(), 1u);
}

}  // namespace
}  // namespace settee::net
