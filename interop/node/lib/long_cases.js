// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const check = require('./check');
const output = require('./output');

const CALM_CALLS = 10;
const CALL_EVERY_MS = 20;

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Says nothing for that long, so that only heartbeats keep the connection, and then calls over the same connection. */
exports.idle = async (peer, seconds) => {
  check.same('before', await peer.echo('echoString', 'before'));
  const connection = peer.connection();
  output.line('info idle waiting');
  await sleep(seconds * 1000);
  const { sent, acknowledged } = peer.heartbeats;
  output.line(`info idle heartbeats sent=${sent} acknowledged=${acknowledged}`);
  check.that(sent >= 2, `only ${sent} heartbeats were sent in ${seconds} s`);
  // The last one may be on its way.
  check.that(acknowledged >= sent - 1, `${acknowledged} of ${sent} heartbeats were acknowledged`);
  check.that(connection.isOk, 'the connection was closed while idle');
  check.same('after', await peer.echo('echoString', 'after'));
  check.that(peer.connection() === connection, 'the call after the idle time used another connection');
};

/** Calls in a loop while somebody restarts the server; the calls must fail or move, and then succeed again. */
exports.reconnect = async (peer, seconds) => {
  check.same('first', await peer.echo('echoString', 'first'));
  const first = peer.connection();
  output.line('info reconnect running');
  let ok = 0;
  let failed = 0;
  let wrong = 0;
  let okInARow = 0;
  let lastError = 'none';
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const text = `call ${ok + failed}`;
    try {
      if (await peer.echo('echoString', text) === text) {
        ok++;
        okInARow++;
      } else {
        wrong++;
      }
    } catch (err) {
      failed++;
      okInARow = 0;
      lastError = err.message;
    }
    await sleep(CALL_EVERY_MS);
  }
  output.line(`info reconnect ok=${ok} failed=${failed} wrong=${wrong}`);
  check.that(wrong === 0, `${wrong} calls got the answer of another call`);
  check.that(failed > 0 || peer.connection() !== first, `no restart was noticed in ${seconds} s`);
  check.that(okInARow >= CALM_CALLS,
    `only the last ${okInARow} calls succeeded after the restart; last error: ${lastError}`);
};
