// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.golden;

/** A subclass, so that its fields and the inherited ones meet in one class definition. */
public class Child extends Parent {
  private static final long serialVersionUID = 1L;

  public long id;
  public String name2;
  public boolean ok;
}
