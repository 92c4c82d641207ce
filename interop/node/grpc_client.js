// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_client.js PORT [FOLDER]
// Calls com.settee.interop.Market with @grpc/grpc-js, by the derived .proto; fails at the first surprise.
// With a folder over TLS, as client.crt there, to whom ca.crt knows; with SETTEE_REFUSED the two do not
// trust each other. SETTEE_SERVER_NAME: whom it expects in place of the address.

'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

function load(file) {
  const options = { keepCase: true, longs: String, enums: String, defaults: true };
  const definition = loader.loadSync(path.join(__dirname, 'proto', file), options);
  return grpc.loadPackageDefinition(definition).com.settee.interop;
}

const address = `127.0.0.1:${process.argv[2]}`;
const folder = process.argv[3];
const read = (name) => fs.readFileSync(path.join(folder, name));
const credentials = folder
  ? grpc.credentials.createSsl(read('ca.crt'), read('client.key'), read('client.crt'))
  : grpc.credentials.createInsecure();
const name = process.env.SETTEE_SERVER_NAME;
const target = name ? { 'grpc.ssl_target_name_override': name } : {};
const market = new (load('market.proto').Market)(address, credentials, target);

function call(client, method, request, { metadata = new grpc.Metadata(), options = {} } = {}) {
  return new Promise((resolve, reject) => {
    const made = client[method](request, metadata, options, (error, answer) => {
      if (error) reject(error);
      else resolve({ answer, made });
    });
  });
}

function ended(stream) {
  return new Promise((resolve, reject) => {
    const messages = [];
    stream.on('data', (message) => messages.push(message));
    stream.on('error', reject);
    stream.on('end', () => resolve(messages));
  });
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the call did not fail');
}

const order = {
  id: 'ä😀',
  cents: '-9007199254740993',
  side: 'SIDE_SELL',
  lines: [{ sku: 'a', count: -1 }, { sku: '', count: 0 }],
  counts: { k: 7 },
  note: '',
  raw: Buffer.from([0, 255]),
  price: 0.5,
  history: ['1', '-2'],
  when: '1700000000123',
  total: '12.340',
  parent: { id: 'p', total: '0' },
};

const cases = {
  async everyFormOfAMember() {
    const { answer } = await call(market, 'place', order);
    const { parent, ...rest } = answer;
    const { parent: sent, ...expected } = order;
    assert.deepStrictEqual({ ...rest }, expected);
    assert.strictEqual(parent.id, sent.id);
    assert.strictEqual(parent.note, undefined);
  },
  async parametersAndAScalarResult() {
    const { answer } = await call(market, 'add', { a: 40, b: '2' });
    assert.strictEqual(answer.value, '42');
  },
  async aBusinessException() {
    const error = await failure(call(market, 'sell', { sku: 's1' }));
    assert.strictEqual(error.code, grpc.status.UNKNOWN);
    assert.strictEqual(error.details, 'none left: ä');
    const details = error.metadata.get('grpc-status-details-bin')[0].toString();
    for (const part of ['google.rpc.ErrorInfo', 'BUSINESS', 'com.settee.interop.SoldOut', '"sku":"s1"']) {
      assert.ok(details.includes(part), details);
    }
  },
  async unknownMethods() {
    const definition = { path: '/com.settee.interop.Market/nothing' };
    const same = (value) => value;
    const error = await failure(
      new Promise((resolve, reject) => {
        market.makeUnaryRequest(definition.path, same, same, Buffer.alloc(0), (e) => (e ? reject(e) : resolve()));
      }),
    );
    assert.strictEqual(error.code, grpc.status.UNIMPLEMENTED);
  },
  async deadlines() {
    const error = await failure(call(market, 'nap', { ms: 60000 }, { options: { deadline: Date.now() + 100 } }));
    assert.strictEqual(error.code, grpc.status.DEADLINE_EXCEEDED);
  },
  async metadataBothWays() {
    const metadata = new grpc.Metadata();
    metadata.set('x-user', 'anna');
    const status = new Promise((resolve) => {
      const made = market.header({ name: 'x-user' }, metadata, (error, answer) => {
        assert.ifError(error);
        assert.strictEqual(answer.value, 'anna');
      });
      made.on('status', resolve);
    });
    assert.deepStrictEqual((await status).metadata.get('rpc_resp_baggage.x-user'), ['anna']);
  },
  async gzip() {
    const options = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };
    const packed = new (load('market.proto').Market)(address, credentials, options);
    const { answer } = await call(packed, 'place', { ...order, id: 'x'.repeat(100000) });
    assert.strictEqual(answer.id.length, 100000);
    packed.close();
  },
  async aLargeMessage() {
    const { answer } = await call(market, 'place', { ...order, raw: Buffer.alloc(3000000, 1) });
    assert.strictEqual(answer.raw.length, 3000000);
  },
  async manyCallsAtOnce() {
    const calls = Array.from({ length: 500 }, (_, i) => call(market, 'add', { a: i, b: '1' }));
    const sums = (await Promise.all(calls)).map(({ answer }) => Number(answer.value));
    assert.deepStrictEqual(sums, Array.from({ length: 500 }, (_, i) => i + 1));
  },
  async aServersStream() {
    const lines = await ended(market.watch({ sku: 'w', count: 1000 }));
    assert.deepStrictEqual(lines.map((line) => line.count), Array.from({ length: 1000 }, (_, i) => i));
  },
  async aClientsStream() {
    const sum = await new Promise((resolve, reject) => {
      const stream = market.upload((error, answer) => (error ? reject(error) : resolve(answer.value)));
      for (let i = 1; i <= 1000; i++) stream.write({ sku: 'u', count: i });
      stream.end();
    });
    assert.strictEqual(sum, '500500');
  },
  async bothWaysInTurn() {
    const stream = market.chat();
    const end = ended(stream);
    for (let i = 1; i <= 50; i++) {
      const answer = new Promise((resolve) => {
        stream.once('data', resolve);
      });
      stream.write({ sku: 'c', count: i });
      assert.strictEqual((await answer).count, 2 * i);
    }
    stream.end();
    assert.strictEqual((await end).length, 50);
  },
  async messagesOfAProtoFile() {
    const service = new (load('interop.proto').ProtoService)(address, credentials);
    const { answer } = await call(service, 'echoObj', { name: 'grpc', group: 1 });
    assert.deepStrictEqual({ ...answer }, { code: 200, message: 'hi grpc' });
    service.close();
  },
};

const overTls = {
  async whoItIs() {
    const { answer } = await call(market, 'header', { name: 'tls-peer' });
    assert.strictEqual(answer.value, 'CN=client');
  },
};
const refused = {
  async itIsRefused() {
    const error = await failure(call(market, 'header', { name: 'tls-peer' }));
    assert.strictEqual(error.code, grpc.status.UNAVAILABLE);
  },
};
const wanted = process.env.SETTEE_REFUSED ? refused : { ...(folder ? overTls : {}), ...cases };

(async () => {
  for (const [name, run] of Object.entries(wanted)) {
    try {
      await run();
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
  market.close();
})();
