// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.api.GenericService;
import com.alipay.sofa.rpc.config.ApplicationConfig;
import com.alipay.sofa.rpc.config.ConsumerConfig;
import com.alipay.sofa.rpc.config.RegistryConfig;
import com.alipay.sofa.rpc.context.RpcInvokeContext;
import com.settee.bench.Echo;
import com.settee.interop.TypeService;
import java.util.Map;
import java.util.function.UnaryOperator;

/** The peer at one address, and the SOFARPC consumers that talk to it; made when first needed. */
final class Peer {
  private static final int TIMEOUT_MS = 10_000;

  /**
   * What a sofa-rpc-node server cannot do for a Java client. Its errors are frames of status 2 whose class name says
   * SofaResponse while the content is an RpcServerException, which the Java client refuses to decode.
   */
  private static final Map<String, String> NODE_CANNOT = Map.ofEntries(
      Map.entry("fail", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("fail_unicode", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("fail_runtime", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("bench_fail", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("future_fail", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("callback_fail", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("unknown_method", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("unknown_service", "Java cannot decode the error answers of sofa-rpc-node"),
      Map.entry("object_types", "sofa-rpc-node forgets the class of what it decodes"),
      Map.entry("object_user", "sofa-rpc-node forgets the class of what it decodes"),
      Map.entry("object_cycle", "sofa-rpc-node forgets the class of what it decodes"),
      Map.entry("object_self", "sofa-rpc-node forgets the class of what it decodes"),
      Map.entry("object_shared", "sofa-rpc-node forgets the class of what it decodes"),
      Map.entry("json", "sofa-rpc-node has no json codec and closes the connection"));

  /**
   * What SOFARPC itself cannot do over HTTP/2: exceptions are text there (see the case http_errors), it has no oneway,
   * and the path of a request has no version.
   */
  private static final Map<String, String> H2C_CANNOT = Map.ofEntries(
      Map.entry("fail", "exceptions are text"),
      Map.entry("fail_unicode", "exceptions are text"),
      Map.entry("fail_runtime", "exceptions are text"),
      Map.entry("bench_fail", "exceptions are text"),
      Map.entry("future_fail", "exceptions are text"),
      Map.entry("callback_fail", "exceptions are text"),
      Map.entry("unknown_service", "the service is named without a version"),
      Map.entry("concurrent", "its client mixes up the answers of threads that call at once"),
      Map.entry("large_answer", "its transport.payload.max is 8 MiB"),
      Map.entry("large_request", "its transport.payload.max is 8 MiB"),
      Map.entry("generic_object", "its answers are not decoded into a GenericObject"),
      Map.entry("oneway", "HTTP has none"));

  private final String protocol;
  private final String url;
  private final RegistryConfig registry;
  private TypeService types;
  private ConsumerConfig<TypeService> typesConfig;
  private Echo echo;
  private GenericService generic;
  private String name;

  Peer(String protocol, String host, int port) {
    this.protocol = protocol;
    url = protocol + "://" + host + ":" + port;
    registry = null;
  }

  /** Whoever the registry lists. */
  Peer(RegistryConfig registry) {
    protocol = "bolt";
    url = null;
    this.registry = registry;
  }

  /** The registry at {@code host:port}. */
  static RegistryConfig zookeeper(String address) {
    return new RegistryConfig().setProtocol("zookeeper").setAddress(address).setSubscribe(true).setRegister(true);
  }

  TypeService types() {
    if (types == null) {
      typesConfig = config(TypeService.class);
      types = typesConfig.refer();
    }
    return types;
  }

  ConsumerConfig<TypeService> typesConfig() {
    types();
    return typesConfig;
  }

  Echo echo() {
    if (echo == null) {
      echo = config(Echo.class).refer();
    }
    return echo;
  }

  GenericService generic() {
    if (generic == null) {
      ConsumerConfig<GenericService> config = new ConsumerConfig<GenericService>()
          .setInterfaceId(TypeService.class.getName()).setGeneric(true)
          .setApplication(application()).setProtocol(protocol).setTimeout(TIMEOUT_MS).setRepeatedReferLimit(-1);
      generic = address(config).refer();
    }
    return generic;
  }

  /** Another consumer of a service, with its own settings. */
  <T> T refer(Class<T> contract, UnaryOperator<ConsumerConfig<T>> settings) {
    return settings.apply(config(contract)).refer();
  }

  <T> ConsumerConfig<T> config(Class<T> contract) {
    ConsumerConfig<T> config = new ConsumerConfig<T>().setInterfaceId(contract.getName())
        .setProtocol(protocol).setTimeout(TIMEOUT_MS).setConnectionNum(1).setReconnectPeriod(2000)
        .setRepeatedReferLimit(-1);
    config.setApplication(application());
    return address(config);
  }

  private <T> ConsumerConfig<T> address(ConsumerConfig<T> config) {
    if (registry != null) {
      return config.setRegistry(registry);
    }
    config.setDirectUrl(url);
    config.setRegister(false);
    return config;
  }

  private static ApplicationConfig application() {
    return new ApplicationConfig().setAppName("settee-java-peer");
  }

  /** Runs one call under a timeout of its own. */
  static Object within(int timeoutMs, Check.Call call) throws Exception {
    RpcInvokeContext.getContext().setTimeout(timeoutMs);
    try {
      return call.run();
    } finally {
      RpcInvokeContext.removeContext();
    }
  }

  /** Why the peer cannot do a case, or null when it must. */
  String cannot(String caseName) {
    if (protocol.equals("h2c") && H2C_CANNOT.containsKey(caseName)) {
      return H2C_CANNOT.get(caseName);
    }
    if (name == null) {
      try {
        name = types().whoami();
      } catch (RuntimeException e) {
        name = "unknown";
      }
    }
    return name.equals("node") ? NODE_CANNOT.get(caseName) : null;
  }
}
