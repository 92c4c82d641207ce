// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.remoting.rpc.HeartbeatAckCommand;
import com.alipay.remoting.rpc.HeartbeatCommand;
import com.alipay.sofa.rpc.config.ConsumerConfig;
import com.alipay.sofa.rpc.transport.ClientTransport;
import com.alipay.sofa.rpc.transport.bolt.BoltClientTransport;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** A look at the one TCP connection below a SOFARPC consumer. */
final class Connection {
  private Connection() {
  }

  /** The local address of the connection in use, or null while there is none. */
  static String localAddress(ConsumerConfig<?> consumer) {
    Channel channel = channel(consumer);
    return channel == null || !channel.isActive() ? null : String.valueOf(channel.localAddress());
  }

  static Channel channel(ConsumerConfig<?> consumer) {
    for (ClientTransport transport : consumer.getConsumerBootstrap().getCluster().getConnectionHolder()
        .getAvailableConnections().values()) {
      com.alipay.remoting.Connection connection = ((BoltClientTransport) transport).fetchConnection();
      if (connection != null) {
        return connection.getChannel();
      }
    }
    return null;
  }

  /** Counts the heartbeats that leave and the acknowledgements that arrive on a connection. */
  static final class HeartbeatCounter extends ChannelDuplexHandler {
    final AtomicInteger sent = new AtomicInteger();
    final AtomicInteger acknowledged = new AtomicInteger();

    static HeartbeatCounter attach(Channel channel) {
      HeartbeatCounter counter = new HeartbeatCounter();
      // Between the codec and Bolt's handlers, where frames are still command objects.
      channel.pipeline().addAfter("encoder", "settee-heartbeat-counter", counter);
      return counter;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
      if (message instanceof HeartbeatCommand) {
        sent.incrementAndGet();
      }
      super.write(context, message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
      if (message instanceof List) {
        for (Object one : (List<?>) message) {
          count(one);
        }
      } else {
        count(message);
      }
      super.channelRead(context, message);
    }

    private void count(Object message) {
      if (message instanceof HeartbeatAckCommand) {
        acknowledged.incrementAndGet();
      }
    }
  }
}
