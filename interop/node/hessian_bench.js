// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

// What one encode and one decode of the benchmarks' user cost with sofa-hessian-node in its 3.0 dialect, the way
// sofa-bolt-node uses it: compiled field types, a shared encoder, a cache of class definitions. Prints one JSON object;
// the times are the medians of the rounds.

const { isDeepStrictEqual } = require('util');
const { v3 } = require('sofa-hessian-node');
const { benchUser, classMap, mark } = require('./lib/contract');
const output = require('./lib/output');

const ROUNDS = 9;
const PER_ROUND = 50000;
const WARM_UP = 100000;

output.watchdog(120, () => [ 'FAIL bench: the watchdog ended the program' ]);

const user = benchUser();
const write = v3.compile(mark('com.settee.bench.User', user), '2.0', classMap);
const encoder = new v3.Encoder();
const encode = () => {
  encoder.reset();
  write(user, encoder);
  return encoder.get();
};
const classCache = new Map();
classCache.enableCompile = true;
const decode = bytes => new v3.Decoder(bytes, classCache).read();

const bytes = encode();
if (!isDeepStrictEqual(decode(bytes), user)) throw new Error('the user changed on its way');

let sink = 0;
for (let i = 0; i < WARM_UP; i++) sink += encode().length + decode(bytes).age;

const encodeNs = [];
const decodeNs = [];
for (let round = 0; round < ROUNDS; round++) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < PER_ROUND; i++) sink += encode().length;
  const middle = process.hrtime.bigint();
  for (let i = 0; i < PER_ROUND; i++) sink += decode(bytes).age;
  const end = process.hrtime.bigint();
  encodeNs.push(Number(middle - start) / PER_ROUND);
  decodeNs.push(Number(end - middle) / PER_ROUND);
}
if (sink === 0) throw new Error('nothing was measured');
const median = values => Math.round(values.sort((a, b) => a - b)[values.length >> 1] * 10) / 10;
output.line(JSON.stringify({ encode_ns: median(encodeNs), decode_ns: median(decodeNs), bytes: bytes.length }));
process.exit(0);
