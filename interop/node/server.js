// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

// A real sofa-rpc-node server, bound to 127.0.0.1, offering the contract, the benchmarks' Echo and a protobuf service;
// published in a ZooKeeper if one is given. Prints `READY port=N`; ends with status 0 when standard input ends, on SIGTERM and on SIGINT.

const net = require('net');
const path = require('path');
const bolt = require('sofa-bolt-node');
const protobuf = require('protobufjs');
const { RpcServer, RpcResponse } = require('sofa-rpc-node').server;
const { ZookeeperRegistry } = require('sofa-rpc-node').registry;
const contract = require('./lib/contract');
const output = require('./lib/output');
const parse = require('./lib/options');

const HOST = '127.0.0.1';
const STOP_SECONDS = 10;

/** Adds what a handler put into its context to the answer; sofa-rpc-node has no response baggage of its own. */
class BaggageResponse extends RpcResponse {
  send(data) {
    const baggage = this.baggage;
    return super.send(baggage ? { ...data, responseProps: baggage } : data);
  }
}

class LoopbackServer extends RpcServer {
  /** As in RpcServer, which listens on every interface and takes no host. */
  _startServer(port) {
    const server = net.createServer();
    server.once('error', err => this.emit('error', err));
    server.on('connection', socket => this._handleSocket(socket));
    server.listen(port, HOST, () => {
      if (port === 0) this.publishPort = server.address().port;
    });
    return server;
  }

  /** Becomes `this` of the handlers. */
  createContext(req, res) {
    return { props: req.data.requestProps || {}, res };
  }
}

const javaString = value => String(value);

function typeService() {
  const notifications = new Map();
  const service = {
    async prim(...values) {
      return values.map(javaString).join(',');
    },
    async boxed(...values) {
      return values.map(javaString).join(',');
    },
    // The class of what was decoded is lost in sofa-rpc-node: objects go back as maps.
    async echoObject(value) {
      return value;
    },
    async noop() {
      return null;
    },
    async notify(text) {
      notifications.set(text, (notifications.get(text) || 0) + 1);
      return null;
    },
    async notified(text) {
      return contract.mark('int', notifications.get(text) || 0);
    },
    async sleep(ms) {
      await new Promise(resolve => setTimeout(resolve, Number(ms)));
      return `slept ${ms}`;
    },
    async fail(code, message) {
      throw Object.assign(new Error(message), { code });
    },
    async failRuntime(message) {
      throw new Error(message);
    },
    async baggage(key) {
      const sent = this.props.rpc_req_baggage || {};
      const value = sent[key] === undefined ? 'none' : sent[key];
      this.res.baggage = { 'rpc_resp_baggage.reply': `got:${value}` };
      return value;
    },
    async large(size) {
      return contract.pattern(size);
    },
    async whoami() {
      return 'node';
    },
  };
  for (const [ name, mark ] of Object.entries(contract.echo)) {
    service[name] = async value => (value === null ? null : mark(value));
  }
  return service;
}

function benchService() {
  const service = {
    async fail(message) {
      throw new Error(message);
    },
  };
  for (const [ name, mark ] of Object.entries(contract.benchEcho)) {
    service[name] = async value => (value === null ? null : mark(value));
  }
  return service;
}

const protoService = {
  async echoObj(request) {
    if (request.name === 'boom') throw new Error('boom');
    return { code: 200, message: `hi ${request.name}` };
  },
};

async function main() {
  const options = parse(process.argv.slice(2), 
    [ '--port', '--idle-close-ms', '--max-seconds', '--hessian', '--registry', '--unique-id' ], []);
  const maxSeconds = options.number('--max-seconds', 3600);
  output.watchdog(maxSeconds, () => [ `FAIL server: still running after ${maxSeconds} s (--max-seconds)` ]);
  bolt.setHessianVersion(options.text('--hessian', '3.0'));

  const registry = options.has('--registry')
    ? new ZookeeperRegistry({ logger: output.logger, address: options.text('--registry', '') })
    : undefined;
  if (registry) {
    registry.on('error', err => output.logger.warn(err));
    await registry.ready();
  }
  const server = new LoopbackServer({
    logger: output.logger,
    registry,
    port: options.number('--port', 0),
    publishAddress: HOST,
    appName: 'settee-node-peer',
    maxIdleTime: options.number('--idle-close-ms', 90000),
    responseClass: BaggageResponse,
    proto: protobuf.loadSync(path.join(__dirname, 'proto', 'interop.proto')),
  });
  server.on('error', err => output.logger.warn(err));
  const apiMeta = { methods: [], classMaps: contract.classMap };
  // sofa-rpc-node publishes every service with an empty uniqueId; its metadata put the true one there.
  const uniqueId = options.text('--unique-id', '');
  const named = uniqueId ? { uniqueId, customMeta: { uniqueId } } : {};
  server.addService({ interfaceName: 'com.settee.interop.TypeService', apiMeta, ...named }, typeService());
  server.addService({ interfaceName: 'com.settee.bench.Echo', apiMeta }, benchService());
  server.addService({ interfaceName: 'com.settee.interop.ProtoService' }, protoService);
  await server.start();
  if (registry) {
    const published = server.publish();
    // It looks for the url as it was before the metadata, and with a uniqueId in them does not find it.
    if (!uniqueId) await published;
  }
  output.line(`READY port=${server.publishPort}`);

  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    output.watchdog(STOP_SECONDS, () => [ `FAIL server: did not stop in ${STOP_SECONDS} s` ]);
    server.close().then(() => registry && registry.close()).then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.stdin.on('end', stop).on('error', stop).resume();
}

main().catch(err => {
  console.error(err);
  process.exit(1);
});
