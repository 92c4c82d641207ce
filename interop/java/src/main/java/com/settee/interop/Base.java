// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

import java.io.Serializable;

/** Superclass of {@link User}: its field arrives flattened into the subclass's class definition. */
public class Base implements Serializable {
  private static final long serialVersionUID = 1L;

  public String id;
}
