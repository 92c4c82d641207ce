// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

// A real sofa-rpc-node client that calls one peer by its address and checks every answer. Prints `ok CASE`,
// `FAIL CASE: reason` or `skip CASE: reason` for each case and closes with `DONE ok=N failed=N`; its status is 0 only
// when nothing failed.

const parse = require('./lib/options');
const output = require('./lib/output');
const Peer = require('./lib/peer');

const WATCHDOG_SECONDS = 120;

async function main() {
  const options = parse(process.argv.slice(2),
    [ '--port', '--host', '--cases', '--skip', '--hessian', '--idle-seconds', '--heartbeat-ms', '--reconnect-seconds',
      '--registry' ],
    [ '--bolt2', '--list' ]);
  if (!options.has('--list') && !options.has('--port') && !options.has('--registry')) {
    parse.usage('--port or --registry is required');
  }

  const idleSeconds = options.number('--idle-seconds', 0);
  const reconnectSeconds = options.number('--reconnect-seconds', 0);
  let current = 'start';
  let ok = 0;
  let failed = 0;
  output.watchdog(WATCHDOG_SECONDS + idleSeconds + reconnectSeconds, () => [
    `FAIL ${current}: the watchdog ended the program`,
    `DONE ok=${ok} failed=${failed + 1}`,
  ]);

  const peer = new Peer({
    host: options.text('--host', '127.0.0.1'),
    port: options.number('--port', 0),
    registry: options.text('--registry', ''),
    hessian: options.text('--hessian', '3.0'),
    bolt2: options.has('--bolt2'),
    heartbeatMs: options.has('--idle-seconds') ? options.number('--heartbeat-ms', 500) : 0,
  });
  const cases = new Map();
  const { idle, reconnect } = require('./lib/long_cases');
  if (options.has('--idle-seconds')) cases.set('idle', () => idle(peer, idleSeconds));
  if (options.has('--reconnect-seconds')) cases.set('reconnect', () => reconnect(peer, reconnectSeconds));
  const ordinary = cases.size === 0;
  const onRequest = new Map();
  if (ordinary) {
    require('./lib/type_cases')(peer, cases);
    require('./lib/call_cases')(peer, cases, onRequest);
  }
  if (options.has('--list')) {
    for (const name of cases.keys()) output.line(name);
    for (const name of onRequest.keys()) output.line(`${name} (only when named)`);
    process.exit(0);
  }

  const names = options.has('--cases') ? options.list('--cases') : [ ...cases.keys() ];
  const fail = (name, reason) => {
    failed++;
    output.line(`FAIL ${name}: ${reason}`);
  };
  for (const name of names) {
    current = name;
    const body = cases.get(name) || onRequest.get(name);
    let reason = null;
    if (options.list('--skip').includes(name)) {
      reason = 'asked for with --skip';
    } else if (ordinary && !options.has('--cases')) {
      reason = await peer.cannot(name);
    }
    if (reason) {
      output.line(`skip ${name}: ${reason}`);
    } else if (!body) {
      fail(name, 'no such case (--list prints them)');
    } else {
      try {
        await body();
        ok++;
        output.line(`ok ${name}`);
      } catch (err) {
        fail(name, err.message);
        if (output.traced) console.error(err);
      }
    }
  }
  output.line(`DONE ok=${ok} failed=${failed}`);
  process.exit(failed === 0 ? 0 : 1);
}

main().catch(err => {
  console.error(err);
  process.exit(1);
});
