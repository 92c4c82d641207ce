// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.codec.sofahessian.MultipleClassLoaderSofaSerializerFactory;
import com.caucho.hessian.io.Hessian2Input;
import com.caucho.hessian.io.Hessian2Output;
import com.caucho.hessian.io.SerializerFactory;
import com.settee.bench.User;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;

/**
 * What one encode and one decode of {@link Payloads#benchUser} cost with SOFA's Hessian, as SOFARPC uses it: a new stream
 * per message and one shared serializer factory. Prints one JSON object; the times are the medians of the rounds.
 */
public final class HessianBench {
  private static final int ROUNDS = 9;
  private static final int PER_ROUND = 100_000;
  private static final int WARM_UP = 300_000;

  private final SerializerFactory factory = new MultipleClassLoaderSofaSerializerFactory();
  private final User user = Payloads.benchUser();
  private long sink;

  private HessianBench() {
  }

  public static void main(String[] args) throws IOException {
    Output.watchdog(120, () -> "FAIL bench: the watchdog ended the program");
    new HessianBench().run();
    Output.exit(0);
  }

  private void run() throws IOException {
    byte[] bytes = encode();
    String difference = Same.difference(user, decode(bytes));
    if (difference != null) {
      throw new IllegalStateException("the user changed on its way: " + difference);
    }
    for (int i = 0; i < WARM_UP; i++) {
      sink += encode().length;
      sink += decode(bytes).age;
    }
    double[] encode = new double[ROUNDS];
    double[] decode = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < PER_ROUND; i++) {
        sink += encode().length;
      }
      long middle = System.nanoTime();
      for (int i = 0; i < PER_ROUND; i++) {
        sink += decode(bytes).age;
      }
      encode[round] = (middle - start) / (double) PER_ROUND;
      decode[round] = (System.nanoTime() - middle) / (double) PER_ROUND;
    }
    if (sink == 0) {
      throw new IllegalStateException("nothing was measured");
    }
    Output.line(String.format(Locale.ROOT, "{\"encode_ns\":%.1f,\"decode_ns\":%.1f,\"bytes\":%d}", median(encode),
        median(decode), bytes.length));
  }

  private byte[] encode() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
    Hessian2Output output = new Hessian2Output(bytes);
    output.setSerializerFactory(factory);
    output.writeObject(user);
    output.flush();
    return bytes.toByteArray();
  }

  private User decode(byte[] bytes) throws IOException {
    Hessian2Input input = new Hessian2Input(new ByteArrayInputStream(bytes));
    input.setSerializerFactory(factory);
    return (User) input.readObject();
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}
