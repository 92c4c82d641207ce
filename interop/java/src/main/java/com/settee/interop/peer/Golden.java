// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.codec.sofahessian.MultipleClassLoaderSofaSerializerFactory;
import com.alipay.sofa.rpc.codec.sofahessian.SofaHessianSerializer;
import com.alipay.sofa.rpc.core.request.SofaRequest;
import com.alipay.sofa.rpc.core.response.SofaResponse;
import com.caucho.hessian.io.Hessian2Input;
import com.caucho.hessian.io.Hessian2Output;
import com.caucho.hessian.io.SerializerFactory;
import com.settee.interop.BizException;
import com.settee.interop.Color;
import com.settee.interop.User;
import com.settee.interop.golden.Child;
import com.settee.interop.golden.Parent;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Currency;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Writes what SOFA's Hessian makes of many values, one {@code NAME<TAB>HEX} per line, for the tests of other Hessians.
 *
 * <p>{@code Golden FILE}. A name that speaks of two values, or of one value twice, has several top-level values in one
 * stream. Every stream is read back before it is written down.
 */
public final class Golden {
  private final SerializerFactory factory = new MultipleClassLoaderSofaSerializerFactory();
  private final Map<String, byte[]> vectors = new LinkedHashMap<>();

  private Golden() {
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 1) {
      Options.usage("usage: Golden FILE");
    }
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    Golden golden = new Golden();
    golden.scalars();
    golden.texts();
    golden.lists();
    golden.arrays();
    golden.maps();
    golden.specialTypes();
    golden.times();
    golden.objects();
    golden.references();
    golden.throwables();
    golden.messages();
    try (PrintStream out = new PrintStream(args[0], StandardCharsets.US_ASCII)) {
      for (Map.Entry<String, byte[]> vector : golden.vectors.entrySet()) {
        out.print(vector.getKey() + "\t" + hex(vector.getValue()) + "\n");
      }
    }
    Output.line("wrote " + golden.vectors.size() + " vectors");
    Output.exit(0);
  }

  /** Writes the values into one stream and reads them back. */
  private void add(String name, Object... values) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Hessian2Output output = new Hessian2Output(bytes);
    output.setSerializerFactory(factory);
    for (Object value : values) {
      output.writeObject(value);
    }
    output.flush();
    Hessian2Input input = new Hessian2Input(new ByteArrayInputStream(bytes.toByteArray()));
    input.setSerializerFactory(factory);
    for (Object value : values) {
      Object back = input.readObject();
      if ((back == null) != (value == null)) {
        throw new IllegalStateException(name + ": " + value + " came back as " + back);
      }
    }
    put(name, bytes.toByteArray());
  }

  private void put(String name, byte[] bytes) {
    if (vectors.put(name, bytes) != null) {
      throw new IllegalStateException("two vectors are called " + name);
    }
  }

  private static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder(bytes.length * 2);
    for (byte one : bytes) {
      text.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
    }
    return text.toString();
  }

  private void scalars() throws IOException {
    add("null", (Object) null);
    add("true,false", true, false);
    for (int value : new int[] {0, 1, -1, -16, -17, 47, 48, 255, 256, 2047, 2048, -2048, -2049, 262143, 262144, -262144,
        -262145, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      add("int " + value, value);
    }
    for (long value : new long[] {0, 1, -1, -8, -9, 15, 16, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145,
        Integer.MAX_VALUE, Integer.MIN_VALUE, Integer.MAX_VALUE + 1L, Integer.MIN_VALUE - 1L, Long.MAX_VALUE,
        Long.MIN_VALUE}) {
      add("long " + value, value);
    }
    for (double value : new double[] {0, 1, -1, 127, -128, 128, -129, 32767, -32768, 32768, 0.5, 12.25, 3.14, -0.0,
        Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e10, Integer.MAX_VALUE, Double.MIN_VALUE,
        Double.MAX_VALUE}) {
      add("double " + value, value);
    }
    add("float 1.1f", 1.1f);
    add("float 0.5f", 0.5f);
    add("short 5", (short) 5);
    add("byte -1", (byte) -1);
    add("char A", 'A');
    for (long value : new long[] {1000000000000L, 0, -1, 1700000000123L}) {
      add("date " + value, new Date(value));
    }
  }

  private void texts() throws IOException {
    add("str empty", "");
    add("str hello", "hello");
    add("str31", "a".repeat(31));
    add("str32", "a".repeat(32));
    add("str chinese", "\u4e2d\u6587");
    add("str emoji", "\ud83d\ude00");
    add("str NUL", "\u0000");
    add("str e acute", "\u00e9");
    add("str 1023 a", "a".repeat(1023));
    add("str 1024 a", "a".repeat(1024));
    add("str 32768 a", "a".repeat(32768));
    add("str 32769 a", "a".repeat(32769));
    add("str 70000 a", "a".repeat(70000));
    add("str 32767 a, emoji, 12 b", "a".repeat(32767) + "\ud83d\ude00" + "b".repeat(12));
    for (int size : new int[] {0, 3, 15, 16, 1023, 1024, 32768, 32769, 70000}) {
      add("bytes " + size, Payloads.pattern(size));
    }
  }

  private void lists() throws IOException {
    add("ArrayList[]", new ArrayList<>());
    add("ArrayList[1,a]", new ArrayList<>(Arrays.asList(1, "a")));
    add("Arrays.asList(1)", Arrays.asList(1));
    add("LinkedList[1]", new LinkedList<>(List.of(1)));
    add("HashSet[1]", new HashSet<>(List.of(1)));
    add("TreeSet[1]", new TreeSet<>(List.of(1)));
    add("LinkedHashSet[1]", new LinkedHashSet<>(List.of(1)));
    add("emptyList", Collections.emptyList());
    add("singletonList[x]", Collections.singletonList("x"));
    add("unmodifiableList[1]", Collections.unmodifiableList(new ArrayList<>(List.of(1))));
    for (int size : new int[] {7, 8, 255, 256, 300}) {
      add("ArrayList " + size + " x 1", new ArrayList<>(Collections.nCopies(size, 1)));
    }
    add("iterator 1,2", new ArrayList<>(List.of(1, 2)).iterator());
    add("two LinkedList", new LinkedList<>(List.of(1)), new LinkedList<>(List.of(2)));
  }

  private void arrays() throws IOException {
    add("int[]{1,2}", (Object) new int[] {1, 2});
    add("int[]0", (Object) new int[0]);
    add("String[]{a}", (Object) new String[] {"a"});
    add("String[]{null}", (Object) new String[] {null});
    add("Object[]{1}", (Object) new Object[] {1});
    add("Integer[]{1}", (Object) new Integer[] {1});
    add("long[]{1}", (Object) new long[] {1});
    add("double[]{1}", (Object) new double[] {1});
    add("boolean[]{true}", (Object) new boolean[] {true});
    add("short[]{1}", (Object) new short[] {1});
    add("float[]{1}", (Object) new float[] {1});
    add("char[]{a,b}", (Object) new char[] {'a', 'b'});
    add("Date[]{0}", (Object) new Date[] {new Date(0)});
    add("int[][]{{1},{2}}", (Object) new int[][] {{1}, {2}});
    add("String[][]{{a},{b}}", (Object) new String[][] {{"a"}, {"b"}});
    add("Long[]{1}", (Object) new Long[] {1L});
    add("BigDecimal[]{1}", (Object) new BigDecimal[] {new BigDecimal("1")});
    add("Map[]{{}}", (Object) new Map<?, ?>[] {new HashMap<>()});
    add("List[]{[]}", (Object) new List<?>[] {new ArrayList<>()});
    add("Color[]{RED}", (Object) new Color[] {Color.RED});
    add("byte[][]{{1},{2}}", (Object) new byte[][] {{1}, {2}});
    add("Parent[]{{}}", (Object) new Parent[] {new Parent()});
    add("two String[]", new String[] {"a"}, new String[] {"b", "c"});
    int[] many = new int[300];
    Arrays.fill(many, 1);
    add("int[] 300 x 1", (Object) many);
  }

  private void maps() throws IOException {
    Map<String, Integer> one = Map.of("a", 1);
    add("HashMap{}", new HashMap<>());
    add("HashMap{a:1}", new HashMap<>(one));
    add("LinkedHashMap{a:1}", new LinkedHashMap<>(one));
    add("TreeMap{a:1}", new TreeMap<>(one));
    add("ConcurrentHashMap{a:1}", new ConcurrentHashMap<>(one));
    add("emptyMap", Collections.emptyMap());
    add("singletonMap{a:1}", Collections.singletonMap("a", 1));
    add("ConcurrentHashMap{a:1}, two LinkedHashMap{x:i}", new ConcurrentHashMap<>(one), new LinkedHashMap<>(Map.of("x",
        1)), new LinkedHashMap<>(Map.of("x", 2)));
    add("Properties", new Properties());
    add("Hashtable", new Hashtable<>());
    Map<Object, Object> keys = new HashMap<>();
    keys.put(null, null);
    add("HashMap{null:null}", keys);
    add("HashMap{1L:date}", new HashMap<>(Map.of(1L, new Date(5))));
  }

  private void specialTypes() throws IOException {
    add("Color.RED", Color.RED);
    add("Color.RED,BLUE,RED", Color.RED, Color.BLUE, Color.RED);
    add("BigDecimal 1.50", new BigDecimal("1.50"));
    add("BigDecimal 1, BigDecimal 2", new BigDecimal("1"), new BigDecimal("2"));
    for (String value : List.of("0", "1", "-1", "99", "4294967296", "9223372036854775808",
        "-123456789012345678901234567890", "340282366920938463463374607431768211456")) {
      add("BigInteger " + value, new BigInteger(value));
    }
    add("AtomicInteger 3", new AtomicInteger(3));
    add("AtomicLong 3", new AtomicLong(3));
    add("Class String", String.class);
    add("Locale zh_CN", Locale.SIMPLIFIED_CHINESE);
    add("UUID 1,2", new UUID(1, 2));
    add("Currency USD", Currency.getInstance("USD"));
    add("sql.Date 0", new java.sql.Date(0));
    add("sql.Timestamp 0", new java.sql.Timestamp(0));
    add("sql.Time 0", new java.sql.Time(0));
    GregorianCalendar calendar = new GregorianCalendar(TimeZone.getTimeZone("UTC"));
    calendar.setTimeInMillis(0);
    add("GregorianCalendar 0", calendar);
    add("StringBuilder ab", new StringBuilder("ab"));
  }

  private void times() throws IOException {
    LocalDate date = LocalDate.of(2024, 2, 29);
    LocalTime time = LocalTime.of(1, 2, 3, 4);
    add("LocalDate 2024-02-29", date);
    add("LocalTime 01:02:03.000000004", time);
    add("LocalDateTime 2024-02-29T01:02:03.000000004", LocalDateTime.of(date, time));
    add("Instant 1s 2ns", Instant.ofEpochSecond(1, 2));
    add("Duration 1s 2ns", Duration.ofSeconds(1, 2));
    add("Period 1y 2m 3d", Period.of(1, 2, 3));
    add("Year 2024", Year.of(2024));
    add("YearMonth 2024-02", YearMonth.of(2024, 2));
    add("MonthDay 02-29", MonthDay.of(2, 29));
    add("ZoneId UTC", ZoneId.of("UTC"));
    add("ZoneOffset +08:00", ZoneOffset.ofHours(8));
    add("ZonedDateTime UTC", ZonedDateTime.of(date, time, ZoneId.of("UTC")));
    add("OffsetDateTime +08:00", OffsetDateTime.of(date, time, ZoneOffset.ofHours(8)));
  }

  private void objects() throws IOException {
    add("Parent null fields", new Parent());
    Parent self = new Parent();
    self.age = 1;
    self.name = "n";
    self.any = self;
    self.list = new ArrayList<>();
    self.arr = new int[] {1};
    add("Parent self ref", self);
    Child child = new Child();
    child.id = 5;
    child.name2 = "m";
    child.ok = false;
    child.age = 1;
    child.name = "n";
    add("Child", child);
    add("two Child", new Child(), new Child());
    add("User null fields", new User());
    add("User full", TypeCases.fullUser("1"));
    add("bench User", Payloads.benchUser());
  }

  private void references() throws IOException {
    List<Object> list = new ArrayList<>();
    add("same ArrayList twice", list, list);
    Date date = new Date(0);
    add("same date twice", date, date);
    add("same string twice", "hello", "hello");
    BigDecimal decimal = new BigDecimal("1");
    add("same BigDecimal twice", decimal, decimal);
    User first = new User();
    User second = new User();
    first.id = "first";
    second.id = "second";
    first.friend = second;
    second.friend = first;
    add("User cycle of two", first);
    User own = new User();
    own.friend = own;
    add("User is its own friend", own);
    List<Object> ring = new ArrayList<>();
    ring.add(ring);
    add("ArrayList that holds itself", ring);
    Map<String, Object> map = new HashMap<>();
    map.put("me", map);
    add("HashMap that holds itself", map);
    User[] users = {own, null, own};
    add("User[] with one user twice", (Object) users);
    List<Object> many = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      many.add(new ArrayList<>());
    }
    many.add(many.get(299));
    add("ref 300", many);
    // The empty map is the shortest value that takes an index.
    many.clear();
    for (int i = 0; i < 65536; i++) {
      many.add(new HashMap<>());
    }
    many.add(many.get(65535));
    add("ref 65536", many);
  }

  private void throwables() throws IOException {
    StackTraceElement[] stack = {new StackTraceElement("com.acme.Shop", "buy", "Shop.java", 12)};
    RuntimeException plain = new RuntimeException("m");
    plain.setStackTrace(stack);
    add("RuntimeException", plain);
    BizException biz = new BizException(7, "boom");
    biz.setStackTrace(stack);
    add("BizException", biz);
    RuntimeException cause = new IllegalStateException("outer", plain);
    cause.setStackTrace(new StackTraceElement[0]);
    add("IllegalStateException with cause", cause);
    RuntimeException nothing = new RuntimeException((String) null);
    nothing.setStackTrace(new StackTraceElement[0]);
    add("RuntimeException without message", nothing);
  }

  /** Whole contents of frames, as the Bolt codec gets them. */
  private void messages() {
    SofaHessianSerializer serializer = new SofaHessianSerializer();
    SofaRequest request = new SofaRequest();
    request.setTargetServiceUniqueName("com.settee.interop.TypeService:1.0");
    request.setMethodName("echoString");
    request.setMethodArgSigs(new String[] {"java.lang.String"});
    request.setMethodArgs(new Object[] {"hello"});
    request.addRequestProp("app", "demo");
    put("SofaRequest echoString(hello)", serializer.encode(request, null).array());
    request.setMethodName("echoUser");
    request.setMethodArgSigs(new String[] {User.class.getName()});
    User user = new User();
    user.friend = user;
    request.setMethodArgs(new Object[] {user});
    put("SofaRequest echoUser(its own friend)", serializer.encode(request, null).array());
    request.setMethodName("noop");
    request.setMethodArgSigs(new String[0]);
    request.setMethodArgs(new Object[0]);
    put("SofaRequest noop()", serializer.encode(request, null).array());

    SofaResponse response = new SofaResponse();
    response.setAppResponse("hello");
    put("SofaResponse hello", serializer.encode(response, null).array());
    response.setAppResponse(null);
    put("SofaResponse null", serializer.encode(response, null).array());
    BizException biz = new BizException(7, "boom");
    biz.setStackTrace(new StackTraceElement[0]);
    response.setAppResponse(biz);
    response.addResponseProp("sofa_head_response_error", "true");
    put("SofaResponse BizException", serializer.encode(response, null).array());
    SofaResponse error = new SofaResponse();
    error.setErrorMsg("RPC-020100010: RPC cannot find service: [com.acme.Shop:1.0] ");
    error.addResponseProp("sofa_head_response_error", "true");
    put("SofaResponse error", serializer.encode(error, null).array());
  }
}
