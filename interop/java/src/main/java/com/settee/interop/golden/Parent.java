// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.golden;

import java.io.Serializable;
import java.util.List;

/** Shows the order in which SOFA's Hessian writes fields: primitives and java.lang types first, subclass first. */
public class Parent implements Serializable {
  private static final long serialVersionUID = 1L;

  public int age;
  public String name;
  public Object any;
  public List<Object> list;
  public Integer boxed;
  public int[] arr;
}
