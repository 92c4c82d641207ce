// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.bench;

/** The business exception of {@link Echo}. */
public class EchoException extends Exception {
  private static final long serialVersionUID = 1L;

  public EchoException(String message) {
    super(message);
  }
}
