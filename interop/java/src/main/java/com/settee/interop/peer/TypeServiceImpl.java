// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.context.RpcInvokeContext;
import com.settee.interop.BizException;
import com.settee.interop.Color;
import com.settee.interop.TypeService;
import com.settee.interop.User;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

final class TypeServiceImpl implements TypeService {
  private final Map<String, AtomicInteger> notifications = new ConcurrentHashMap<>();

  @Override
  public boolean echoBoolean(boolean value) {
    return value;
  }

  @Override
  public int echoInt(int value) {
    return value;
  }

  @Override
  public long echoLong(long value) {
    return value;
  }

  @Override
  public double echoDouble(double value) {
    return value;
  }

  @Override
  public String prim(boolean z, byte b, short s, char c, int i, long j, float f, double d) {
    return z + "," + b + "," + s + "," + c + "," + i + "," + j + "," + f + "," + d;
  }

  @Override
  public Boolean echoBoxedBoolean(Boolean value) {
    return value;
  }

  @Override
  public Integer echoBoxedInt(Integer value) {
    return value;
  }

  @Override
  public Long echoBoxedLong(Long value) {
    return value;
  }

  @Override
  public Double echoBoxedDouble(Double value) {
    return value;
  }

  @Override
  public String boxed(Byte b, Short s, Character c, Float f) {
    return b + "," + s + "," + c + "," + f;
  }

  @Override
  public String echoString(String value) {
    return value;
  }

  @Override
  public byte[] echoBytes(byte[] value) {
    return value;
  }

  @Override
  public Date echoDate(Date value) {
    return value;
  }

  @Override
  public BigDecimal echoDecimal(BigDecimal value) {
    return value;
  }

  @Override
  public BigInteger echoBigInteger(BigInteger value) {
    return value;
  }

  @Override
  public Color echoColor(Color value) {
    return value;
  }

  @Override
  public User echoUser(User value) {
    return value;
  }

  @Override
  public List<String> echoStrings(List<String> value) {
    return value;
  }

  @Override
  public List<User> echoUsers(List<User> value) {
    return value;
  }

  @Override
  public Map<String, Integer> echoMap(Map<String, Integer> value) {
    return value;
  }

  @Override
  public Set<String> echoSet(Set<String> value) {
    return value;
  }

  @Override
  public int[] echoInts(int[] value) {
    return value;
  }

  @Override
  public long[] echoLongs(long[] value) {
    return value;
  }

  @Override
  public double[] echoDoubles(double[] value) {
    return value;
  }

  @Override
  public String[] echoStringArray(String[] value) {
    return value;
  }

  @Override
  public User[] echoUserArray(User[] value) {
    return value;
  }

  @Override
  public Map<String, List<User>> echoNested(Map<String, List<User>> value) {
    return value;
  }

  @Override
  public Object echoObject(Object value) {
    return value;
  }

  @Override
  public void noop() {
  }

  @Override
  public void notify(String text) {
    notifications.computeIfAbsent(text, key -> new AtomicInteger()).incrementAndGet();
  }

  @Override
  public int notified(String text) {
    AtomicInteger count = notifications.get(text);
    return count == null ? 0 : count.get();
  }

  @Override
  public String sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("sleep(" + ms + ") was interrupted", e);
    }
    return "slept " + ms;
  }

  @Override
  public String fail(int code, String message) throws BizException {
    throw new BizException(code, message);
  }

  @Override
  public String failRuntime(String message) {
    throw new IllegalStateException(message);
  }

  @Override
  public String baggage(String key) {
    if (key.startsWith("header:")) {
      return Headers.get(key.substring("header:".length()));
    }
    RpcInvokeContext context = RpcInvokeContext.getContext();
    String value = context.getRequestBaggage(key);
    if (value == null) {
      value = "none";
    }
    context.putResponseBaggage("reply", "got:" + value);
    return value;
  }

  @Override
  public byte[] large(int size) {
    return Payloads.pattern(size);
  }

  @Override
  public String whoami() {
    return "java";
  }
}
