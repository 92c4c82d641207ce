// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.config.ApplicationConfig;
import com.alipay.sofa.rpc.config.ProviderConfig;
import com.alipay.sofa.rpc.config.RegistryConfig;
import com.alipay.sofa.rpc.config.ServerConfig;
import com.alipay.sofa.rpc.core.exception.SofaRpcRuntimeException;
import com.alipay.sofa.rpc.server.bolt.BoltServer;
import com.settee.bench.Echo;
import com.settee.interop.TypeService;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A real SOFARPC Bolt server, bound to 127.0.0.1, offering the contract and the benchmarks' Echo; without a registry,
 * or published in ZooKeeper.
 *
 * <p>Prints {@code READY port=N}; ends with status 0 when standard input reaches its end, on SIGTERM and on SIGINT.
 */
public final class PeerServer {
  private static final String HOST = "127.0.0.1";
  private static final int STOP_SECONDS = 10;

  private final List<ProviderConfig<?>> providers = new ArrayList<>();
  private final AtomicBoolean stopping = new AtomicBoolean();
  private ServerConfig server;
  private RegistryConfig registry;

  private PeerServer() {
  }

  public static void main(String[] args) throws Exception {
    Options options = new Options(args,
        Set.of("--port", "--threads", "--queue", "--idle-close-ms", "--max-seconds", "--registry"), Set.of("--busy"));
    if (options.has("--idle-close-ms")) {
      // Bolt reads it once, when the first server starts.
      System.setProperty("bolt.tcp.server.idle.interval", options.text("--idle-close-ms", ""));
    }
    int maxSeconds = options.number("--max-seconds", 3600);
    Output.watchdog(maxSeconds, () -> "FAIL server: still running after " + maxSeconds + " s (--max-seconds)");
    try {
      new PeerServer().run(options);
    } catch (Throwable e) {
      // SOFARPC's threads would keep the process alive without a server.
      e.printStackTrace();
      Output.exit(1);
    }
  }

  private void run(Options options) throws Exception {
    int port = options.number("--port", 0);
    if (port != 0) {
      start(port, options);
    } else {
      port = startOnFreePort(options);
    }
    // SIGTERM and SIGINT start the hooks; stop() ends in halt, which makes the status 0 instead of 143.
    Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "stop"));
    Output.line("READY port=" + port);
    awaitEndOfInput();
    stop();
  }

  /** SOFARPC cannot be told to choose a port, so the system is asked for a free one; somebody may be quicker to take it. */
  private int startOnFreePort(Options options) throws Exception {
    for (int attempt = 1;; attempt++) {
      int port = freePort();
      try {
        start(port, options);
        return port;
      } catch (SofaRpcRuntimeException e) {
        providers.clear();
        if (attempt == 5) {
          throw e;
        }
      }
    }
  }

  private void start(int port, Options options) throws Exception {
    server = new ServerConfig().setProtocol("bolt").setHost(HOST).setPort(port).setDaemon(false);
    server.setBoundHost(HOST);
    if (options.has("--threads")) {
      int threads = options.number("--threads", 0);
      server.setCoreThreads(threads).setMaxThreads(threads);
    }
    if (options.has("--queue")) {
      server.setQueues(options.number("--queue", 0));
    }
    if (options.has("--registry")) {
      registry = Peer.zookeeper(options.text("--registry", ""));
      // Otherwise SOFARPC publishes another address of this machine in place of a loopback one.
      server.setVirtualHost(HOST);
    }
    if (options.has("--busy")) {
      server.setCoreThreads(1).setMaxThreads(1).setQueues(0);
    }
    export(TypeService.class, new TypeServiceImpl());
    export(Echo.class, new EchoImpl());
    if (options.has("--busy")) {
      occupyPool();
    }
  }

  private <T> void export(Class<T> contract, T implementation) {
    ProviderConfig<T> provider = new ProviderConfig<T>()
        .setApplication(new ApplicationConfig().setAppName("settee-java-peer"))
        .setInterfaceId(contract.getName())
        .setRef(implementation)
        .setServer(server)
        .setFilterRef(new ArrayList<>(List.of(new Headers())))
        .setRegister(registry != null);
    if (registry != null) {
      provider.setRegistry(registry);
    }
    provider.export();
    providers.add(provider);
  }

  /** Takes the only worker for good, so that SOFARPC itself answers every call with SERVER_THREADPOOL_BUSY. */
  private void occupyPool() throws InterruptedException {
    ThreadPoolExecutor pool = ((BoltServer) server.getServer()).getBizThreadPool();
    CountDownLatch taken = new CountDownLatch(1);
    pool.execute(() -> {
      taken.countDown();
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
    taken.await();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(InetAddress.getByName(HOST), 0));
      return socket.getLocalPort();
    }
  }

  private static void awaitEndOfInput() throws IOException {
    byte[] buffer = new byte[256];
    while (System.in.read(buffer) >= 0) {
      // What arrives is of no interest, only that it ends.
    }
  }

  private void stop() {
    if (!stopping.compareAndSet(false, true)) {
      return;
    }
    // A worker that still runs a long sleep must not keep the process.
    Output.watchdog(STOP_SECONDS, () -> "FAIL server: did not stop in " + STOP_SECONDS + " s");
    for (ProviderConfig<?> provider : providers) {
      provider.unExport();
    }
    server.setStopTimeout(0).destroy();
    Output.exit(0);
  }
}
