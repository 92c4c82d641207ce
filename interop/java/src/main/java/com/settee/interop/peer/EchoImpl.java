// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.settee.bench.Echo;
import com.settee.bench.EchoException;
import com.settee.bench.User;

final class EchoImpl implements Echo {
  @Override
  public String echo(String text) {
    return text;
  }

  @Override
  public byte[] echoBytes(byte[] bytes) {
    return bytes;
  }

  @Override
  public User echoUser(User user) {
    return user;
  }

  @Override
  public String fail(String message) throws EchoException {
    throw new EchoException(message);
  }
}
