// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

/** The contract's business exception: a Java exception with a field of its own. */
public class BizException extends Exception {
  private static final long serialVersionUID = 1L;

  public int code;

  public BizException(int code, String message) {
    super(message);
    this.code = code;
  }
}
