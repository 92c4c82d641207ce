// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.client.AbstractLoadBalancer;
import com.alipay.sofa.rpc.client.ProviderHelper;
import com.alipay.sofa.rpc.client.ProviderInfo;
import com.alipay.sofa.rpc.client.lb.ConsistentHashLoadBalancer;
import com.alipay.sofa.rpc.client.lb.RoundRobinLoadBalancer;
import com.alipay.sofa.rpc.client.lb.WeightConsistentHashLoadBalancer;
import com.alipay.sofa.rpc.client.lb.WeightRoundRobinLoadBalancer;
import com.alipay.sofa.rpc.common.utils.StringUtils;
import com.alipay.sofa.rpc.core.request.SofaRequest;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes which of 50 providers SOFARPC's load balancers choose, for the tests of other load balancers.
 *
 * <p>{@code Balancers FILE}. First {@code provider<TAB>URL} for each, then {@code BALANCER<TAB>KEY<TAB>INDEX}: the index
 * of the provider chosen for a call whose first argument has that text. The round robins are not asked for keys but
 * again and again, and KEY is the number of the call. Then the same for a short list.
 */
public final class Balancers {
  private static final int PROVIDERS = 50;
  private static final int TEXTS = 190;

  private final List<ProviderInfo> providers = new ArrayList<>();
  private final PrintStream out;

  private Balancers(String file) throws FileNotFoundException, IOException {
    out = new PrintStream(file, StandardCharsets.UTF_8);
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 1) {
      Options.usage("usage: Balancers FILE");
    }
    Balancers balancers = new Balancers(args[0]);
    balancers.manyProviders();
    balancers.hash("consistentHash", new ConsistentHashLoadBalancer(null));
    balancers.hash("weightConsistentHash", new WeightConsistentHashLoadBalancer(null));
    balancers.rounds("roundRobin", new RoundRobinLoadBalancer(null), 2 * PROVIDERS + 7);
    balancers.rounds("weightRoundRobin", weightRoundRobin(), 600);
    balancers.providers.clear();
    balancers.providersAtTheSamePoints();
    balancers.hash("consistentHash", new ConsistentHashLoadBalancer(null));
    balancers.hash("weightConsistentHash", new WeightConsistentHashLoadBalancer(null));
    balancers.out.close();
    Output.line("wrote the choices among " + PROVIDERS + " providers");
    Output.exit(0);
  }

  /** Deprecated, but there for everybody who has its name in a configuration. */
  @SuppressWarnings("deprecation")
  private static AbstractLoadBalancer weightRoundRobin() {
    return new WeightRoundRobinLoadBalancer(null);
  }

  private void add(String address, int weight) {
    String url = "bolt://" + address + "?weight=" + weight;
    providers.add(ProviderHelper.toProviderInfo(url));
    out.print("provider\t" + url + "\n");
  }

  private void manyProviders() {
    for (int i = 0; i < PROVIDERS; i++) {
      String host = i == 30 ? "settee.example.com" : "10.1." + i / 8 + "." + (i * 37 % 251 + 1);
      add(host + ":" + (12200 + i % 3), i % 10 == 9 ? 0 : i % 7 * 3 + 1);
    }
  }

  /** Host, port and number are joined without a sign between, so these share a good part of their points. */
  private void providersAtTheSamePoints() {
    add("10.0.0.1:12201", 10);
    add("10.0.0.1:1220", 20);
    add("10.0.0.11:2200", 5);
    add("10.0.0.1:12200", 10);
  }

  private int choose(AbstractLoadBalancer balancer, String method, Object... args) {
    SofaRequest request = new SofaRequest();
    request.setInterfaceName("com.settee.interop.TypeService");
    request.setTargetAppName("settee");
    request.setMethodName(method);
    request.setMethodArgs(args);
    return providers.indexOf(balancer.select(request, providers));
  }

  private void hash(String name, AbstractLoadBalancer balancer) {
    out.print(name + "\t\t" + choose(balancer, "call") + "\n");
    List<Object> keys = new ArrayList<>(List.of(0, -1, 42, 10000000000L, 1.5, true, 'x', "\u5218\u5907", "\ud83d\ude00"));
    for (int i = 0; i < TEXTS; i++) {
      keys.add(i % 2 == 0 ? "user-" + i : "a".repeat(i));
    }
    for (Object key : keys) {
      out.print(name + "\t" + StringUtils.toString(key) + "\t" + choose(balancer, "call", key) + "\n");
    }
  }

  private void rounds(String name, AbstractLoadBalancer balancer, int calls) {
    for (int i = 0; i < calls; i++) {
      out.print(name + "\t" + i + "\t" + choose(balancer, "call") + "\n");
    }
  }
}
