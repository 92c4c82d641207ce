// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.settee.interop.Color;
import com.settee.interop.TypeService;
import com.settee.interop.User;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The cases about values: each sends values of one type and expects them back. */
final class TypeCases {
  private final Peer peer;

  TypeCases(Peer peer) {
    this.peer = peer;
  }

  private TypeService types() {
    return peer.types();
  }

  void addTo(Map<String, PeerClient.Case> cases) {
    cases.put("whoami", () -> Check.that(Set.of("java", "node", "cpp").contains(types().whoami()),
        "answered " + types().whoami()));
    cases.put("boolean", this::booleans);
    cases.put("int", this::ints);
    cases.put("long", this::longs);
    cases.put("double", this::doubles);
    cases.put("prim", this::primitives);
    cases.put("boxed_boolean", this::boxedBooleans);
    cases.put("boxed_int", this::boxedInts);
    cases.put("boxed_long", this::boxedLongs);
    cases.put("boxed_double", this::boxedDoubles);
    cases.put("boxed", this::boxes);
    cases.put("string", this::strings);
    cases.put("string_null", () -> Check.same(null, types().echoString(null)));
    cases.put("string_unicode", this::unicodeStrings);
    cases.put("string_100k", this::longString);
    cases.put("string_chunks", this::chunkedStrings);
    cases.put("bytes", this::bytes);
    cases.put("bytes_null", () -> Check.same(null, types().echoBytes(null)));
    cases.put("date", this::dates);
    cases.put("decimal", this::decimals);
    cases.put("big_integer", this::bigIntegers);
    cases.put("color", this::colors);
    cases.put("user", () -> Check.same(fullUser("1"), types().echoUser(fullUser("1"))));
    cases.put("user_null_fields", () -> Check.same(new User(), types().echoUser(new User())));
    cases.put("user_null", () -> Check.same(null, types().echoUser(null)));
    cases.put("user_nested", this::nestedUser);
    cases.put("strings", this::stringLists);
    cases.put("users", this::userLists);
    cases.put("map", this::maps);
    cases.put("set", this::sets);
    cases.put("int_array", this::intArrays);
    cases.put("long_array", this::longArrays);
    cases.put("double_array", this::doubleArrays);
    cases.put("string_array", this::stringArrays);
    cases.put("user_array", this::userArrays);
    cases.put("nested", this::nestedMaps);
    cases.put("object_simple", this::simpleObjects);
    cases.put("object_types", this::typedObjects);
    cases.put("object_user", () -> Check.same(fullUser("o"), types().echoObject(fullUser("o"))));
    cases.put("object_cycle", this::cycle);
    cases.put("object_self", this::selfReferences);
    cases.put("object_shared", this::sharedReferences);
  }

  private void booleans() {
    Check.same(true, types().echoBoolean(true));
    Check.same(false, types().echoBoolean(false));
  }

  /** The borders of every form that an int has on the wire. */
  private static final int[] INTS = {0, 1, -1, 47, 48, -16, -17, 2047, 2048, -2048, -2049, 262143, 262144, -262144,
      -262145, Integer.MAX_VALUE, Integer.MIN_VALUE};

  private static final long[] LONGS = {0, 1, -1, 15, 16, -8, -9, 2047, 2048, -2048, -2049, 262143, 262144, -262144,
      -262145, Integer.MAX_VALUE, Integer.MIN_VALUE, Integer.MAX_VALUE + 1L, Integer.MIN_VALUE - 1L, (1L << 53) - 1,
      (1L << 53) + 1, -(1L << 53) - 1, Long.MAX_VALUE, Long.MIN_VALUE};

  private static final double[] DOUBLES = {0.0, 1.0, -1.0, 127, -128, 128, 32767, -32768, 32768, 0.5, 12.25, 3.14, 1e10,
      1e300, Integer.MAX_VALUE, Double.MIN_VALUE, Double.MAX_VALUE, Double.NaN, Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY};

  private void ints() {
    for (int value : INTS) {
      Check.same(value, types().echoInt(value));
    }
  }

  private void longs() {
    for (long value : LONGS) {
      Check.same(value, types().echoLong(value));
    }
  }

  private void doubles() {
    for (double value : DOUBLES) {
      Check.same(value, types().echoDouble(value));
    }
    // SOFA's Hessian writes -0.0 as the one-byte zero, so the sign may be lost; the value may not.
    Check.that(types().echoDouble(-0.0) == 0.0, "-0.0 came back as another number");
  }

  private void primitives() {
    Check.same("true,-1,300,c,70000,5,1.5,2.25",
        types().prim(true, (byte) -1, (short) 300, 'c', 70000, 5L, 1.5f, 2.25));
    Check.same("false,-128,-32768,\u4e2d,-2147483648,-9223372036854775808,-0.5,-1234.0625",
        types().prim(false, Byte.MIN_VALUE, Short.MIN_VALUE, '\u4e2d', Integer.MIN_VALUE, Long.MIN_VALUE, -0.5f,
            -1234.0625));
    Check.same("true,127,32767,A,2147483647,9223372036854775807,0.25,0.125",
        types().prim(true, Byte.MAX_VALUE, Short.MAX_VALUE, 'A', Integer.MAX_VALUE, Long.MAX_VALUE, 0.25f, 0.125));
  }

  private void boxedBooleans() {
    for (Boolean value : Arrays.asList(true, false, null)) {
      Check.same(value, types().echoBoxedBoolean(value));
    }
  }

  private void boxedInts() {
    for (int value : INTS) {
      Check.same(value, types().echoBoxedInt(value));
    }
    Check.same(null, types().echoBoxedInt(null));
  }

  private void boxedLongs() {
    for (long value : LONGS) {
      Check.same(value, types().echoBoxedLong(value));
    }
    Check.same(null, types().echoBoxedLong(null));
  }

  private void boxedDoubles() {
    for (double value : DOUBLES) {
      Check.same(value, types().echoBoxedDouble(value));
    }
    Check.same(null, types().echoBoxedDouble(null));
  }

  private void boxes() {
    Check.same("1,2,x,1.5", types().boxed((byte) 1, (short) 2, 'x', 1.5f));
    Check.same("null,null,null,null", types().boxed(null, null, null, null));
    Check.same("-128,null,\u00e9,null", types().boxed(Byte.MIN_VALUE, null, '\u00e9', null));
  }

  private void strings() {
    String alphabet = "the quick brown fox jumps over the lazy dog 0123456789";
    for (String value : List.of("", "a", "hello", "\u0000", "tab\tline\nend", alphabet.substring(0, 31),
        alphabet.substring(0, 32), "x".repeat(255), "x".repeat(256), "x".repeat(1023), "x".repeat(1024))) {
      Check.same(value, types().echoString(value));
    }
  }

  private void unicodeStrings() {
    for (String value : List.of("\u4e2d\u6587\u5b57\u7b26", "\u00e9\u00e8\u00fc\u00df", "\ud83d\ude00",
        "a\ud83d\ude00b\ud83c\uddea\ud83c\uddfa", "\u07ff\u0800\uffff", "\u4e2d".repeat(31), "\u4e2d".repeat(32),
        "\ud83d\ude00".repeat(16))) {
      Check.same(value, types().echoString(value));
    }
  }

  private void longString() {
    String value = Payloads.mixedText(100 * 1024);
    Check.same(value, types().echoString(value));
  }

  /** Lengths around the chunk size 32768, and surrogate pairs that lie across its border. */
  private void chunkedStrings() {
    for (String value : List.of("a".repeat(32767), "a".repeat(32768), "a".repeat(32769), "a".repeat(65536),
        "a".repeat(70000), "a".repeat(32767) + "\ud83d\ude00" + "b".repeat(12),
        "a".repeat(32766) + "\ud83d\ude00" + "b".repeat(12), "a".repeat(65535) + "\ud83d\ude00",
        "\ud83d\ude00".repeat(20000), "x" + "\ud83d\ude00".repeat(40000), "\u4e2d".repeat(32769))) {
      Check.same(value, types().echoString(value));
    }
  }

  private void bytes() {
    for (int size : new int[] {0, 1, 15, 16, 1023, 1024, 32767, 32768, 32769, 40000, 70000}) {
      byte[] value = Payloads.pattern(size);
      Check.same(value, types().echoBytes(value));
    }
  }

  private void dates() {
    for (Date value : Arrays.asList(new Date(0), new Date(1), new Date(1000000000000L), new Date(1700000000123L),
        new Date(60000), new Date(-1), new Date(-62135596800000L), new Date(253402300799999L), null)) {
      Check.same(value, types().echoDate(value));
    }
  }

  private void decimals() {
    for (String value : List.of("0", "1.50", "-1.50", "3.141592653589793238462643383279502884197", "1E+20", "1E-20",
        "123456789012345678901234567890.0001")) {
      Check.same(new BigDecimal(value), types().echoDecimal(new BigDecimal(value)));
    }
    Check.same(null, types().echoDecimal(null));
  }

  private void bigIntegers() {
    for (String value : List.of("0", "1", "-1", "99", "4294967295", "4294967296", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "-123456789012345678901234567890",
        "340282366920938463463374607431768211456")) {
      Check.same(new BigInteger(value), types().echoBigInteger(new BigInteger(value)));
    }
    Check.same(null, types().echoBigInteger(null));
  }

  private void colors() {
    for (Color value : Color.values()) {
      Check.same(value, types().echoColor(value));
    }
    Check.same(null, types().echoColor(null));
  }

  /** A user with every field set except {@code friend}. */
  static User fullUser(String id) {
    User user = new User();
    user.id = id;
    user.name = "\u5f20\u4e09 \ud83d\ude00 " + id;
    user.age = 41;
    user.boxed = -7;
    user.score = 4000000000L;
    user.vip = true;
    user.tags = new ArrayList<>(Arrays.asList("a", "", null, "\u4e2d"));
    user.color = Color.GREEN;
    user.birth = new Date(1500000000123L);
    user.counts = new HashMap<>();
    user.counts.put("one", 1);
    user.counts.put("many", 1 << 20);
    user.ratio = 0.1;
    user.nick = new String[] {"n1", "n2"};
    user.numbers = new int[] {1, -1, 1 << 30};
    user.money = new BigDecimal("12.3400");
    return user;
  }

  private void nestedUser() {
    User user = fullUser("outer");
    user.friend = fullUser("middle");
    user.friend.friend = fullUser("inner");
    user.friend.friend.friend = new User();
    Check.same(user, types().echoUser(user));
  }

  private void stringLists() {
    Check.same(null, types().echoStrings(null));
    Check.same(new ArrayList<>(), types().echoStrings(new ArrayList<>()));
    Check.same(new ArrayList<>(List.of("x")), types().echoStrings(Collections.singletonList("x")));
    Check.same(List.of("b", "a"), types().echoStrings(new LinkedList<>(List.of("b", "a"))));
    Check.same(List.of("b", "a"), types().echoStrings(Arrays.asList("b", "a")));
    List<String> value = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      value.add(i % 7 == 0 ? null : "item " + i);
    }
    Check.same(value, types().echoStrings(value));
  }

  private void userLists() {
    List<User> value = new ArrayList<>();
    Check.same(value, types().echoUsers(value));
    value.add(fullUser("a"));
    value.add(null);
    value.add(new User());
    Check.same(value, types().echoUsers(value));
    value.clear();
    for (int i = 0; i < 300; i++) {
      value.add(fullUser("u" + i));
    }
    Check.same(value, types().echoUsers(value));
  }

  private void maps() {
    Map<String, Integer> value = new HashMap<>();
    Check.same(null, types().echoMap(null));
    Check.same(value, types().echoMap(value));
    value.put("", 0);
    value.put("\u4e2d", -1);
    value.put("null", null);
    Check.same(value, types().echoMap(value));
    Check.same(value, types().echoMap(new LinkedHashMap<>(value)));
    Check.same(value, types().echoMap(new TreeMap<>(value)));
    for (int i = 0; i < 300; i++) {
      value.put("key " + i, i * 1000);
    }
    Check.same(value, types().echoMap(value));
  }

  private void sets() {
    Set<String> value = new HashSet<>();
    Check.same(null, types().echoSet(null));
    Check.same(value, types().echoSet(value));
    value.addAll(List.of("a", "\u4e2d", ""));
    Check.same(value, types().echoSet(value));
    for (int i = 0; i < 300; i++) {
      value.add("element " + i);
    }
    Check.same(value, types().echoSet(value));
  }

  private void intArrays() {
    Check.same(null, types().echoInts(null));
    Check.same(new int[0], types().echoInts(new int[0]));
    Check.same(INTS, types().echoInts(INTS));
    int[] value = new int[300];
    Arrays.setAll(value, i -> i * i * (i % 2 == 0 ? 1 : -1));
    Check.same(value, types().echoInts(value));
  }

  private void longArrays() {
    Check.same(null, types().echoLongs(null));
    Check.same(new long[0], types().echoLongs(new long[0]));
    Check.same(LONGS, types().echoLongs(LONGS));
    long[] value = new long[300];
    Arrays.setAll(value, i -> (long) i * i * i * 1000);
    Check.same(value, types().echoLongs(value));
  }

  private void doubleArrays() {
    Check.same(null, types().echoDoubles(null));
    Check.same(new double[0], types().echoDoubles(new double[0]));
    Check.same(DOUBLES, types().echoDoubles(DOUBLES));
    double[] value = new double[300];
    Arrays.setAll(value, i -> i / 8.0);
    Check.same(value, types().echoDoubles(value));
  }

  private void stringArrays() {
    Check.same(null, types().echoStringArray(null));
    Check.same(new String[0], types().echoStringArray(new String[0]));
    Check.same(new String[] {"a", null, ""}, types().echoStringArray(new String[] {"a", null, ""}));
    String[] value = new String[300];
    Arrays.setAll(value, i -> "element " + i);
    Check.same(value, types().echoStringArray(value));
  }

  private void userArrays() {
    Check.same(null, types().echoUserArray(null));
    Check.same(new User[0], types().echoUserArray(new User[0]));
    User[] value = {fullUser("a"), null, new User()};
    Check.same(value, types().echoUserArray(value));
    User[] many = new User[300];
    Arrays.setAll(many, i -> fullUser("u" + i));
    Check.same(many, types().echoUserArray(many));
  }

  private void nestedMaps() {
    Map<String, List<User>> value = new HashMap<>();
    Check.same(value, types().echoNested(value));
    value.put("empty", new ArrayList<>());
    value.put("none", null);
    value.put("two", new ArrayList<>(List.of(fullUser("a"), fullUser("b"))));
    Check.same(value, types().echoNested(value));
  }

  /** Values whose type the wire itself tells apart in every peer. */
  private void simpleObjects() {
    Map<String, Object> map = new HashMap<>();
    map.put("int", 1);
    map.put("text", "x");
    map.put("flag", true);
    map.put("half", 0.5);
    map.put("when", new Date(1500000000123L));
    map.put("nothing", null);
    map.put("list", new ArrayList<>(Arrays.asList(1, "two", null, new ArrayList<>())));
    map.put("bytes", new byte[] {1, 2, 3});
    for (Object value : Arrays.asList(null, true, 7, "text", 0.5, new Date(1), new byte[] {9}, new ArrayList<>(), map)) {
      Check.same(value, types().echoObject(value));
    }
  }

  /** Values whose class must survive the journey. */
  private void typedObjects() {
    Map<String, Object> linked = new LinkedHashMap<>();
    linked.put("z", 1);
    linked.put("a", 2L);
    for (Object value : Arrays.asList(5L, Long.MAX_VALUE, Color.BLUE, new BigDecimal("1.50"), new BigInteger("-99"),
        new int[] {1, 2}, new String[] {"a"}, new Object[] {1, "a", null}, new User[] {fullUser("x")},
        new int[][] {{1}, {2, 3}}, new Integer[] {1, null}, new Date[] {new Date(5)}, java.util.UUID.fromString(
            "123e4567-e89b-12d3-a456-426614174000"))) {
      Object answer = types().echoObject(value);
      Check.that(answer != null && answer.getClass() == value.getClass(), "expected " + value.getClass().getName()
          + ", got " + (answer == null ? "null" : answer.getClass().getName()));
      Check.same(value, answer);
    }
    for (Object value : Arrays.asList(linked, new TreeMap<>(linked), new HashSet<>(List.of("a")), new LinkedList<>(
        List.of("a")))) {
      Object answer = types().echoObject(value);
      Check.that(answer.getClass() == value.getClass(), "expected " + value.getClass().getName() + ", got "
          + answer.getClass().getName());
      Check.same(new ArrayList<>(flat(value)), new ArrayList<>(flat(answer)));
    }
  }

  private static java.util.Collection<?> flat(Object value) {
    return value instanceof Map ? ((Map<?, ?>) value).entrySet() : (java.util.Collection<?>) value;
  }

  private void cycle() {
    User first = fullUser("first");
    User second = fullUser("second");
    first.friend = second;
    second.friend = first;
    User answer = (User) types().echoObject(first);
    Check.same(first, answer);
    Check.that(answer.friend.friend == answer, "the cycle of two came back as copies");
  }

  private void selfReferences() {
    User user = fullUser("self");
    user.friend = user;
    User userAnswer = (User) types().echoObject(user);
    Check.that(userAnswer.friend == userAnswer, "the object that refers to itself came back as copies");
    List<Object> list = new ArrayList<>();
    list.add(list);
    list.add("tail");
    List<?> listAnswer = (List<?>) types().echoObject(list);
    Check.that(listAnswer.get(0) == listAnswer && listAnswer.get(1).equals("tail"), "the list that holds itself changed");
    Map<String, Object> map = new HashMap<>();
    map.put("me", map);
    Map<?, ?> mapAnswer = (Map<?, ?>) types().echoObject(map);
    Check.that(mapAnswer.get("me") == mapAnswer, "the map that holds itself changed");
  }

  private void sharedReferences() {
    User user = fullUser("shared");
    BigDecimal price = new BigDecimal("9.99");
    List<Object> list = new ArrayList<>(Arrays.asList(user, price, user, price, user.tags));
    List<?> answer = (List<?>) types().echoObject(list);
    Check.same(list, answer);
    Check.that(answer.get(0) == answer.get(2), "one user in two places came back as two");
    Check.that(answer.get(1) == answer.get(3), "one decimal in two places came back as two");
    Check.that(((User) answer.get(0)).tags == answer.get(4), "one list in two places came back as two");
  }
}
