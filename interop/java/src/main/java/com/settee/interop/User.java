// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

import java.math.BigDecimal;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** One field of every kind that the contract's beans may have. */
public class User extends Base {
  private static final long serialVersionUID = 1L;

  public String name;
  public int age;
  public Integer boxed;
  public long score;
  public boolean vip;
  public List<String> tags;
  public Color color;
  public User friend;
  public Date birth;
  public Map<String, Integer> counts;
  public double ratio;
  public String[] nick;
  public int[] numbers;
  public BigDecimal money;
}
