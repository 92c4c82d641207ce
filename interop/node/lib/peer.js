// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const path = require('path');
const bolt = require('sofa-bolt-node');
const protobuf = require('protobufjs');
const { RpcClient, DynamicConfig } = require('sofa-rpc-node').client;
const { ZookeeperRegistry } = require('sofa-rpc-node').registry;
const contract = require('./contract');
const output = require('./output');

const TIMEOUT_MS = 10000;
const TYPE_SERVICE = 'com.settee.interop.TypeService';

const NO_JAVA_PROTOBUF = 'the Java peer offers no protobuf service';

/** What a peer cannot do for a Node client. */
const CANNOT = {
  java: {
    proto: NO_JAVA_PROTOBUF,
    proto_fail: NO_JAVA_PROTOBUF,
  },
  node: {},
  cpp: {},
};

/** What sofa-rpc-node's client has no way to say. */
const CLIENT_CANNOT = {
  future: 'sofa-rpc-node calls return promises only',
  callback: 'sofa-rpc-node calls return promises only',
  json: 'sofa-rpc-node has no json codec',
};

/** The peer at one address, or those that a ZooKeeper lists, and the clients that talk to it; made when first needed. */
module.exports = class Peer {
  constructor({ host, port, registry, hessian, bolt2, heartbeatMs }) {
    this.address = `${host}:${port}`;
    this.registry = registry ? new ZookeeperRegistry({ logger: output.logger, address: registry }) : null;
    if (this.registry) this.registry.on('error', err => output.logger.warn(err));
    this.bolt2 = bolt2;
    this.heartbeatMs = heartbeatMs;
    this.heartbeats = { sent: 0, acknowledged: 0 };
    this.clients = new Map();
    this.name = null;
    bolt.setHessianVersion(hessian);
    if (heartbeatMs) {
      // Heartbeats are sent when a statistics window ends, so a shorter window is a shorter heartbeat interval.
      DynamicConfig.instance.metric.bucketSizeInMs = heartbeatMs;
    }
  }

  /** The codec of sofa-bolt-node, told which Bolt version to speak and watched for heartbeats. */
  protocol() {
    return {
      ...bolt,
      encoder: options => {
        const encoder = bolt.encoder(options);
        if (this.bolt2) Object.assign(encoder, { protocolType: 'bolt2', boltVersion: 2, crcEnable: true });
        const writeHeartbeat = encoder.writeHeartbeat.bind(encoder);
        encoder.writeHeartbeat = (...args) => {
          this.heartbeats.sent++;
          return writeHeartbeat(...args);
        };
        return encoder;
      },
      decoder: options => bolt.decoder(options).on('heartbeat_ack', () => this.heartbeats.acknowledged++),
    };
  }

  /** One client (and connection) per use of field types; `typed` marks fields by the class map, plain by hand. */
  client(kind = 'typed') {
    let client = this.clients.get(kind);
    if (!client) {
      client = new RpcClient({
        logger: output.logger,
        responseTimeout: TIMEOUT_MS,
        connectionOpts: {
          protocol: this.protocol(),
          noDelay: true,
          connectTimeout: 3000,
          ...(this.heartbeatMs && { maxIdleTime: this.heartbeatMs }),
          ...(kind === 'typed' && { classMap: contract.classMap }),
          ...(kind === 'proto' && { proto: protobuf.loadSync(path.join(__dirname, '..', 'proto', 'interop.proto')) }),
        },
      });
      client.on('error', err => output.logger.warn(err));
      client.use(async (ctx, next) => {
        await next();
        this.responseProps = ctx.res.responseProps;
      });
      this.clients.set(kind, client);
    }
    return client;
  }

  async call(interfaceName, method, args, options = {}, kind = 'typed') {
    const consumer = this.client(kind).createConsumer({
      interfaceName,
      ...(this.registry ? { registry: this.registry } : { serverHost: this.address }),
      retryFaultInterval: 500,
    });
    await consumer.ready();
    return await consumer.invoke(method, args, options);
  }

  types(method, args, options, kind) {
    return this.call(TYPE_SERVICE, method, args, options, kind);
  }

  bench(method, args) {
    return this.call('com.settee.bench.Echo', method, args);
  }

  /** Sends a value through an echo method of TypeService. */
  echo(method, value) {
    return this.types(method, [ contract.echo[method](value) ]);
  }

  /** The connection of the typed client, or undefined while there is none. */
  connection() {
    return [ ...this.client().connectionManager.connections.values() ].find(connection => connection.isOk);
  }

  async whoami() {
    if (this.name === null) {
      try {
        this.name = await this.types('whoami', []);
      } catch (err) {
        this.name = 'unknown';
      }
    }
    return this.name;
  }

  /** Why a case cannot be done with this peer, or null when it must be. */
  async cannot(caseName) {
    const peer = CANNOT[await this.whoami()] || {};
    return CLIENT_CANNOT[caseName] || peer[caseName] || null;
  }
};
