// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.config.ConsumerConfig;
import com.settee.interop.TypeService;
import io.netty.channel.Channel;

/** The cases that last as long as they are told to. */
final class LongCases {
  private static final int CALM_CALLS = 10;
  private static final int CALL_EVERY_MS = 20;

  private LongCases() {
  }

  /** Says nothing for that long, so that only heartbeats keep the connection, and then calls over the same connection. */
  static void idle(Peer peer, int seconds) throws Exception {
    Check.same("before", peer.types().echoString("before"));
    Channel channel = Connection.channel(peer.typesConfig());
    Connection.HeartbeatCounter heartbeats = Connection.HeartbeatCounter.attach(channel);
    Output.line("info idle waiting");
    Thread.sleep(seconds * 1000L);
    int acknowledged = heartbeats.acknowledged.get();
    int sent = heartbeats.sent.get();
    Output.line("info idle heartbeats sent=" + sent + " acknowledged=" + acknowledged);
    Check.that(sent >= 2, "only " + sent + " heartbeats were sent in " + seconds + " s");
    // The last two (Bolt sends pairs) may be on their way.
    Check.that(acknowledged >= sent - 2, acknowledged + " of " + sent + " heartbeats were acknowledged");
    Check.that(channel.isActive(), "the connection was closed while idle");
    Check.same("after", peer.types().echoString("after"));
    Check.that(Connection.channel(peer.typesConfig()) == channel, "the call after the idle time used another connection");
  }

  /** Calls in a loop while somebody restarts the server; the calls must fail or move, and then succeed again. */
  static void reconnect(Peer peer, int seconds) throws Exception {
    TypeService types = peer.types();
    ConsumerConfig<TypeService> config = peer.typesConfig();
    Check.same("first", types.echoString("first"));
    String firstAddress = Connection.localAddress(config);
    Output.line("info reconnect running");
    int ok = 0;
    int failed = 0;
    int wrong = 0;
    int okInARow = 0;
    String lastError = "none";
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    while (System.nanoTime() < end) {
      String text = "call " + (ok + failed);
      try {
        if (text.equals(types.echoString(text))) {
          ok++;
          okInARow++;
        } else {
          wrong++;
        }
      } catch (RuntimeException e) {
        failed++;
        okInARow = 0;
        lastError = e.getMessage();
      }
      Thread.sleep(CALL_EVERY_MS);
    }
    String lastAddress = Connection.localAddress(config);
    Output.line("info reconnect ok=" + ok + " failed=" + failed + " wrong=" + wrong);
    Check.that(wrong == 0, wrong + " calls got the answer of another call");
    Check.that(failed > 0 || !String.valueOf(firstAddress).equals(lastAddress), "no restart was noticed in " + seconds
        + " s");
    Check.that(okInARow >= CALM_CALLS, "only the last " + okInARow + " calls succeeded after the restart; last error: "
        + lastError);
  }
}
