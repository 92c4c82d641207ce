// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A real SOFARPC client that calls one peer, by its address or found in ZooKeeper, and checks every answer.
 *
 * <p>Prints {@code ok CASE}, {@code FAIL CASE: reason} or {@code skip CASE: reason} for each case and closes with
 * {@code DONE ok=N failed=N}; its status is 0 only when nothing failed.
 */
public final class PeerClient {
  private static final int WATCHDOG_SECONDS = 120;

  /** One call or conversation with the peer; it throws what is wrong. */
  interface Case {
    void run() throws Exception;
  }

  private int ok;
  private int failed;
  private volatile String current = "start";

  private PeerClient() {
  }

  public static void main(String[] args) {
    Options options = new Options(args,
        Set.of("--port", "--host", "--cases", "--skip", "--idle-seconds", "--heartbeat-ms", "--reconnect-seconds",
            "--registry", "--protocol"),
        Set.of("--list"));
    if (options.has("--idle-seconds")) {
      // Bolt reads these once, when the first connection is made.
      System.setProperty("bolt.tcp.heartbeat.interval", options.text("--heartbeat-ms", "500"));
    }
    new PeerClient().run(options);
  }

  private void run(Options options) {
    int extra = options.number("--idle-seconds", 0) + options.number("--reconnect-seconds", 0);
    Output.watchdog(WATCHDOG_SECONDS + extra, () -> "FAIL " + current + ": the watchdog ended the program\nDONE ok="
        + ok + " failed=" + (failed + 1));
    if (!options.has("--list") && !options.has("--port") && !options.has("--registry")) {
      Options.usage("--port or --registry is required");
    }
    Peer peer = options.has("--registry") ? new Peer(Peer.zookeeper(options.text("--registry", "")))
        : new Peer(options.text("--protocol", "bolt"), options.text("--host", "127.0.0.1"),
            options.number("--port", 0));
    Map<String, Case> cases = new LinkedHashMap<>();
    if (options.has("--idle-seconds")) {
      int seconds = options.number("--idle-seconds", 0);
      cases.put("idle", () -> LongCases.idle(peer, seconds));
    }
    if (options.has("--reconnect-seconds")) {
      int seconds = options.number("--reconnect-seconds", 0);
      cases.put("reconnect", () -> LongCases.reconnect(peer, seconds));
    }
    boolean ordinary = cases.isEmpty();
    Map<String, Case> onRequest = new LinkedHashMap<>();
    if (ordinary) {
      CallCases calls = new CallCases(peer);
      new TypeCases(peer).addTo(cases);
      calls.addTo(cases);
      onRequest.put("http_errors", calls::httpErrors);
      onRequest.put("busy", calls::busy);
      onRequest.put("refused_caller", calls::refusedCaller);
      onRequest.put("custom_header", calls::customHeader);
    }
    if (options.has("--list")) {
      cases.keySet().forEach(Output::line);
      onRequest.keySet().forEach(name -> Output.line(name + " (only when named)"));
      Output.exit(0);
    }
    List<String> names = new ArrayList<>(options.has("--cases") ? options.list("--cases") : cases.keySet());
    cases.putAll(onRequest);
    for (String name : names) {
      current = name;
      String reason = options.list("--skip").contains(name) ? "asked for with --skip"
          : ordinary && !options.has("--cases") ? peer.cannot(name) : null;
      if (reason != null) {
        Output.line("skip " + name + ": " + reason);
      } else if (!cases.containsKey(name)) {
        fail(name, "no such case (--list prints them)");
      } else {
        run(name, cases.get(name));
      }
    }
    Output.line("DONE ok=" + ok + " failed=" + failed);
    Output.exit(failed == 0 ? 0 : 1);
  }

  private void run(String name, Case body) {
    try {
      body.run();
      ok++;
      Output.line("ok " + name);
    } catch (Throwable e) {
      fail(name, e instanceof Check.Failure ? e.getMessage() : e.toString());
      if (System.getenv("SETTEE_PEER_TRACE") != null) {
        e.printStackTrace();
      }
    }
  }

  private void fail(String name, String reason) {
    failed++;
    Output.line("FAIL " + name + ": " + reason);
  }
}
