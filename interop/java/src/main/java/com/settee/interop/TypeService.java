// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The interop contract, offered as {@code com.settee.interop.TypeService:1.0} by every peer.
 *
 * <p>Every {@code echo} method returns its argument. SOFARPC finds a method by its name and the exact
 * names of its parameter types, so a change here is a change of the contract.
 */
public interface TypeService {
  boolean echoBoolean(boolean value);

  int echoInt(int value);

  long echoLong(long value);

  double echoDouble(double value);

  /** All eight primitives, as {@code String.valueOf} of each, joined by commas. */
  String prim(boolean z, byte b, short s, char c, int i, long j, float f, double d);

  Boolean echoBoxedBoolean(Boolean value);

  Integer echoBoxedInt(Integer value);

  Long echoBoxedLong(Long value);

  Double echoBoxedDouble(Double value);

  /** The boxes that a return type cannot carry exactly, joined like {@link #prim}; "null" for null. */
  String boxed(Byte b, Short s, Character c, Float f);

  String echoString(String value);

  byte[] echoBytes(byte[] value);

  Date echoDate(Date value);

  BigDecimal echoDecimal(BigDecimal value);

  BigInteger echoBigInteger(BigInteger value);

  Color echoColor(Color value);

  User echoUser(User value);

  List<String> echoStrings(List<String> value);

  List<User> echoUsers(List<User> value);

  Map<String, Integer> echoMap(Map<String, Integer> value);

  Set<String> echoSet(Set<String> value);

  int[] echoInts(int[] value);

  long[] echoLongs(long[] value);

  double[] echoDoubles(double[] value);

  String[] echoStringArray(String[] value);

  User[] echoUserArray(User[] value);

  Map<String, List<User>> echoNested(Map<String, List<User>> value);

  /** Anything; object identity (shared references and cycles) is kept. */
  Object echoObject(Object value);

  void noop();

  /** Called oneway. */
  void notify(String text);

  /** How often {@link #notify} arrived with this text. */
  int notified(String text);

  /** Takes that long; returns "slept &lt;ms&gt;". */
  String sleep(long ms);

  /** Always throws. */
  String fail(int code, String message) throws BizException;

  /** Always throws IllegalStateException. */
  String failRuntime(String message);

  /**
   * The value of this request baggage key, or "none"; response baggage "reply" becomes "got:" + value.
   * The key "header:NAME" asks for the custom header of that name (the Java server only).
   */
  String baggage(String key);

  /** That many bytes; byte i is (byte) (i * 31). */
  byte[] large(int size);

  /** "java", "node" or "cpp". */
  String whoami();
}
