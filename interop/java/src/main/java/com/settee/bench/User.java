// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.bench;

import java.io.Serializable;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** The object of the benchmarks: ten fields of the usual kinds. */
public class User implements Serializable {
  private static final long serialVersionUID = 1L;

  public long id;
  public String name;
  public int age;
  public List<String> emails;
  public Map<String, String> attributes;
  public Date created;
  public double balance;
  public boolean active;
  public String[] tags;
  public float score;
}
