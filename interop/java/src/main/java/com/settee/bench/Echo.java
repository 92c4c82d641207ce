// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.bench;

/** The service of the benchmarks, {@code com.settee.bench.Echo:1.0}. */
public interface Echo {
  String echo(String text);

  byte[] echoBytes(byte[] bytes);

  User echoUser(User user);

  /** Always throws. */
  String fail(String message) throws EchoException;
}
