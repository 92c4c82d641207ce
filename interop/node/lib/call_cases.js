// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const url = require('url');
const bolt = require('sofa-bolt-node');
const check = require('./check');
const { benchEcho, benchUser, mark, pattern } = require('./contract');
const output = require('./output');

const CONCURRENT = 64;
const EIGHT_MIB = 8 * 1024 * 1024;
const LARGE_TIMEOUT_MS = 30000;
const UNICODE = '\u5931\u8d25 \u{1f600}';

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
const text = value => mark('java.lang.String', value);

module.exports = (peer, cases, onRequest) => {
  const add = (name, body) => cases.set(name, body);
  const fromNode = async () => await peer.whoami() === 'node';

  /** A sofa-rpc-node server puts every error into an RpcServerException; others send the exception itself. */
  async function checkBusinessError(err, className, message) {
    if (await fromNode()) {
      check.contains(err.message, message);
    } else {
      check.same([ className, message ], [ err.name, err.message ]);
    }
  }

  add('noop', async () => {
    const answer = await peer.types('noop', []);
    check.that(answer === null || answer === undefined, `a method without a result answered ${answer}`);
  });
  const failure = async (code, message) => checkBusinessError(
    await check.fails(() => peer.types('fail', [ mark('int', code), text(message) ])),
    'com.settee.interop.BizException', message);
  add('fail', () => failure(7, 'out of stock'));
  add('fail_unicode', () => failure(-1, UNICODE));
  add('fail_runtime', async () => checkBusinessError(
    await check.fails(() => peer.types('failRuntime', [ text(`broken ${UNICODE}`) ])),
    'java.lang.IllegalStateException', `broken ${UNICODE}`));
  add('unknown_method', async () => {
    const err = await check.fails(() => peer.types('noSuchMethod', [ text('x') ]));
    check.contains(err.message, await fromNode() ? 'Can not find method: com.settee.interop.TypeService:1.0#noSuchMethod'
      : 'Cannot find invoke method: [noSuchMethod]');
  });
  add('unknown_service', async () => {
    const err = await check.fails(() => peer.call('com.settee.interop.MissingService', 'anything', [ text('x') ]));
    check.contains(err.message, await fromNode() ? 'not found service: com.settee.interop.MissingService:1.0'
      : 'cannot find service: [com.settee.interop.MissingService:1.0');
  });

  // sofa-rpc-node's consumers have no oneway call; the client of sofa-bolt-node, one layer below, has one.
  add('oneway', async () => {
    const client = new bolt.RpcClient({ address: url.parse(`bolt://${peer.address}`), logger: output.logger });
    await client.ready();
    try {
      const word = `oneway ${Date.now()} ${process.pid}`;
      client.oneway({
        serverSignature: 'com.settee.interop.TypeService:1.0',
        methodName: 'notify',
        args: [ text(word) ],
        timeout: -1,
      });
      const count = () => peer.types('notified', [ text(word) ]);
      const end = Date.now() + 5000;
      while (await count() === 0) {
        check.that(Date.now() < end, 'the oneway call did not arrive in 5 s');
        await sleep(10);
      }
      // A call that is delivered twice would be counted by now.
      await sleep(100);
      check.same(1, await count());
    } finally {
      await client.close();
    }
  });
  for (const name of [ 'future', 'callback', 'json' ]) {
    // Announced so that both clients list the same cases; Peer.cannot says why they are skipped.
    add(name, async () => { throw new Error('sofa-rpc-node has no such way of calling'); });
  }

  const slept = ms => peer.types('sleep', [ mark('long', ms) ]);
  add('sleep', async () => check.same('slept 50', await slept(50)));
  add('timeout', async () => {
    const start = Date.now();
    const err = await check.fails(() => peer.types('sleep', [ mark('long', 1200) ], { responseTimeout: 300 }));
    const ms = Date.now() - start;
    check.same('RpcResponseTimeoutError', err.name);
    check.that(ms >= 250 && ms < 1200, `a timeout of 300 ms took ${ms} ms`);
    // The late answer must not be taken for the answer of a later call.
    for (let i = 0; i < 12; i++) {
      check.same(`after ${i}`, await peer.echo('echoString', `after ${i}`));
      await sleep(100);
    }
  });
  add('concurrent', async () => {
    await Promise.all(Array.from({ length: CONCURRENT }, async (_, number) => {
      for (let round = 0; round < 3; round++) {
        // Longer sleeps are sent first, so that the answers return in another order than the calls.
        const ms = 200 - 3 * number;
        const word = `call ${number} round ${round} ${'x'.repeat(number * 10)}`;
        if (number % 2 === 0) {
          check.same(`slept ${ms}`, await slept(ms));
        } else {
          check.same(word, await peer.echo('echoString', word));
        }
      }
    }));
  });
  const large = { responseTimeout: LARGE_TIMEOUT_MS };
  add('large_answer', async () => {
    const answer = await peer.types('large', [ mark('int', EIGHT_MIB) ], large);
    check.that(Buffer.compare(answer, pattern(EIGHT_MIB)) === 0, `other bytes came back, ${answer.length} of them`);
  });
  add('large_request', async () => {
    const value = pattern(EIGHT_MIB);
    const answer = await peer.types('echoBytes', [ mark('byte', value, { isArray: true, arrayDepth: 1 }) ], large);
    check.that(Buffer.compare(answer, value) === 0, `other bytes came back, ${answer.length} of them`);
  });

  add('baggage', async () => {
    const requestProps = { service: 'com.settee.interop.TypeService:1.0', rpc_req_baggage: { who: `alice ${UNICODE}` } };
    check.same(`alice ${UNICODE}`, await peer.types('baggage', [ text('who') ], { requestProps }));
    check.same(`got:alice ${UNICODE}`, (peer.responseProps || {})['rpc_resp_baggage.reply']);
  });
  add('baggage_none', async () => check.same('none', await peer.types('baggage', [ text('absent') ])));

  // What a JavaScript caller gets who marks nothing: signatures guessed from the values.
  add('unmarked', async () => {
    const bare = (method, value) => peer.types(method, [ value ], {}, 'plain');
    for (const [ method, value ] of [ [ 'echoString', 'bare' ], [ 'echoInt', 70000 ], [ 'echoBoolean', true ],
      [ 'echoDouble', 1.5 ], [ 'echoBytes', Buffer.from([ 1, 2 ]) ], [ 'echoDate', new Date(5) ],
      [ 'echoLong', 5000000000 ] ]) {
      check.same(value, await bare(method, value));
    }
  });

  const proto = (name, group) => peer.call('com.settee.interop.ProtoService', 'echoObj', [ { name, group } ],
    { codecType: 'protobuf' }, 'proto');
  add('proto', async () => {
    for (const name of [ 'peter', '', UNICODE, 'x'.repeat(40000) ]) {
      const answer = await proto(name, -3);
      check.same([ 200, `hi ${name}` ], [ answer.code, answer.message ]);
    }
  });
  add('proto_fail', async () => {
    const err = await check.fails(() => proto('boom', 1));
    check.contains(err.message, 'boom');
  });

  add('bench_echo', async () => {
    check.same('0123456789abcdef', await peer.bench('echo', [ benchEcho.echo('0123456789abcdef') ]));
    check.same(pattern(40000), await peer.bench('echoBytes', [ benchEcho.echoBytes(pattern(40000)) ]));
  });
  add('bench_user', async () => {
    check.same(benchUser(), await peer.bench('echoUser', [ benchEcho.echoUser(benchUser()) ]));
  });
  add('bench_fail', async () => checkBusinessError(
    await check.fails(() => peer.bench('fail', [ text('no echo') ])), 'com.settee.bench.EchoException', 'no echo'));

  // A server whose workers are all taken refuses; one worker is taken here in case the server has a free one.
  onRequest.set('busy', async () => {
    const taken = slept(1500).catch(() => null);
    await sleep(300);
    const err = await check.fails(() => slept(1));
    // sofa-bolt-node does not look at the status of an answer without content.
    check.contains(err.message, 'Server exception when invoke with callback');
    await taken;
  });

  // A server that refuses who brings no token.
  const service = 'com.settee.interop.TypeService:1.0';
  onRequest.set('refused_caller', async () => {
    const err = await check.fails(() => peer.echo('echoString', 'x'));
    check.contains(err.message, `${service}#echoString: authentication: no token`);
    const requestProps = { service, token: 'open sesame' };
    check.same('x', await peer.types('echoString', [ text('x') ], { requestProps }));
  });

  // One call with a header and baggage, and one with neither: what the server saw is its test's business.
  onRequest.set('custom_header', async () => {
    const requestProps = { service, tenant: `acme ${UNICODE}`, rpc_req_baggage: { who: 'alice' } };
    check.same('alice', await peer.types('baggage', [ text('who') ], { requestProps }));
    check.same('got:alice', (peer.responseProps || {})['rpc_resp_baggage.reply']);
    check.same('none', await peer.types('baggage', [ text('who') ]));
  });
};
