// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

// Writes what sofa-hessian-node makes of many values, one `NAME<TAB>HEX` per line, for the tests of other Hessians:
//   golden.js 3.0|4.0 FILE
// A name that speaks of two values, or of one value twice, has several top-level values in one stream. "bare" values are
// JavaScript values without a mark, whose type the library guesses. Every stream is read back before it is written down.

const fs = require('fs');
const bolt = require('sofa-bolt-node');
const { v3, v4 } = require('sofa-hessian-node');
const parse = require('./lib/options');
const { benchUser, classMap, echo, mark, pattern, USER, COLOR } = require('./lib/contract');

const [ dialect, file, ...rest ] = process.argv.slice(2);
if (![ '3.0', '4.0' ].includes(dialect) || !file || rest.length) parse.usage('usage: golden.js 3.0|4.0 FILE');
const hessian = dialect === '3.0' ? v3 : v4;
bolt.setHessianVersion(dialect);

const vectors = new Map();

function put(name, bytes) {
  if (vectors.has(name)) throw new Error(`two vectors are called ${name}`);
  vectors.set(name, Buffer.from(bytes));
}

/** Encodes the values into one stream with `write` and reads them back. */
function stream(name, values, write) {
  const encoder = new hessian.Encoder();
  for (const value of values) write(encoder, value);
  const bytes = encoder.get();
  const decoder = new hessian.Decoder(bytes);
  for (const value of values) {
    const back = decoder.read();
    const empty = value === null || Boolean(value.$class && value.$ === null);
    if ((back === null || back === undefined) !== empty) throw new Error(`${name}: ${value} came back as ${back}`);
  }
  put(name, bytes);
}

/** As JavaScript code calls it that knows no field types. */
const bare = (name, ...values) => stream(name, values, (encoder, value) => encoder.write(value));

/** As the proxies call it that the generators of Node's SOFA tools make. */
const typed = (name, ...values) => stream(name, values, (encoder, value) => {
  hessian.compile(value, '2.0', classMap)(value.$, encoder);
});

bare('null', null);
bare('true,false', true, false);
for (const value of [ 0, 1, -1, -16, -17, 47, 48, 255, 256, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145,
  2147483647, -2147483648 ]) {
  typed(`int ${value}`, mark('int', value));
}
for (const value of [ 0, 1, -1, -8, -9, 15, 16, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145, 2147483647,
  -2147483648, 2147483648, -2147483649, '9223372036854775807', '-9223372036854775808' ]) {
  typed(`long ${value}`, mark('long', value));
}
for (const value of [ 0, 1, -1, 127, -128, 128, -129, 32767, -32768, 32768, 0.5, 12.25, 3.14, -0, NaN, Infinity,
  -Infinity, 1e10, 2147483647, Number.MIN_VALUE, Number.MAX_VALUE ]) {
  typed(`double ${Object.is(value, -0) ? '-0' : value}`, mark('double', value));
}
typed('float 1.1f', mark('float', 1.1));
typed('short 5', mark('short', 5));
typed('byte -1', mark('byte', -1));
typed('char A', mark('char', 'A'));
for (const value of [ 1000000000000, 0, -1, 60000, 1700000000123 ]) typed(`date ${value}`, mark('java.util.Date', new Date(value)));

bare('bare 1', 1);
bare('bare 1.5', 1.5);
bare('bare 2147483648', 2147483648);
bare('bare [1,a,null]', [ 1, 'a', null ]);
bare('bare {a:1}', { a: 1 });

bare('str empty', '');
bare('str hello', 'hello');
bare('str31', 'a'.repeat(31));
bare('str32', 'a'.repeat(32));
bare('str chinese', '\u4e2d\u6587');
bare('str emoji', '\u{1f600}');
bare('str NUL', '\u0000');
bare('str e acute', '\u00e9');
for (const size of [ 1023, 1024, 32768, 32769 ]) bare(`str ${size} a`, 'a'.repeat(size));
bare('str 32767 a, emoji, 12 b', 'a'.repeat(32767) + '\u{1f600}' + 'b'.repeat(12));
for (const size of [ 0, 3, 15, 16, 1023, 1024, 4093, 4094, 32768, 32769 ]) bare(`bytes ${size}`, pattern(size));

const texts = { type: 'java.lang.String' };
const ones = count => Array(count).fill(1);
typed('ArrayList[]', mark('java.util.ArrayList', []));
typed('List[] by interface', mark('java.util.List', []));
typed('ArrayList<String>[a,null]', mark('java.util.ArrayList', [ 'a', null ], { generic: [ texts ] }));
typed('List<String>[a] by interface', mark('java.util.List', [ 'a' ], { generic: [ texts ] }));
bare('LinkedList[1]', mark('java.util.LinkedList', [ 1 ]));
bare('HashSet[1]', mark('java.util.HashSet', [ 1 ]));
typed('Set[1] by interface', mark('java.util.Set', [ 1 ]));
for (const size of [ 7, 8, 255, 256, 300 ]) typed(`ArrayList ${size} x 1`, mark('java.util.ArrayList', ones(size)));
bare('two LinkedList', mark('java.util.LinkedList', [ 1 ]), mark('java.util.LinkedList', [ 2 ]));

typed('int[]{1,2}', echo.echoInts([ 1, 2 ]));
typed('int[]0', echo.echoInts([]));
bare('int[]{1,2} by name', mark('[int', [ 1, 2 ]));
typed('String[]{a}', echo.echoStringArray([ 'a' ]));
bare('[string{a} by name', mark('[string', [ 'a' ]));
typed('long[]{1}', echo.echoLongs([ 1 ]));
typed('double[]{1}', echo.echoDoubles([ 1 ]));
typed('int[][]{{1},{2}}', mark('int', [ [ 1 ], [ 2 ] ], { isArray: true, arrayDepth: 2 }));
typed('User[]{null}', echo.echoUserArray([ null ]));
typed('int[] 300 x 1', echo.echoInts(ones(300)));

typed('HashMap{}', mark('java.util.HashMap', {}));
typed('HashMap{a:1}', mark('java.util.HashMap', { a: 1 }));
typed('HashMap<String,Integer>{a:1}', echo.echoMap({ a: 1 }));
typed('HashMap<Integer,String>{1:a}', mark('java.util.HashMap', { 1: 'a' }, { generic: [ { type: 'java.lang.Integer' }, texts ] }));
bare('LinkedHashMap{a:1}', mark('java.util.LinkedHashMap', { a: 1 }, { isMap: true }));

typed('Color.RED', echo.echoColor({ name: 'RED' }));
typed('Color.RED by string', echo.echoColor('RED'));
typed('Color.RED,BLUE', echo.echoColor({ name: 'RED' }), echo.echoColor({ name: 'BLUE' }));
bare('Color.RED by object', mark(COLOR, { name: 'RED' }));
typed('BigDecimal 1.50', mark('java.math.BigDecimal', '1.50'));
typed('BigInteger sign and magnitude 4294967296', echo.echoBigInteger({ signum: 1, mag: [ 1, 0 ] }));

const fullUser = () => ({
  id: '1',
  name: '\u5f20\u4e09 \u{1f600} 1',
  age: 41,
  boxed: -7,
  score: 4000000000,
  vip: true,
  tags: [ 'a', '', null, '\u4e2d' ],
  color: 'GREEN',
  friend: null,
  birth: new Date(1500000000123),
  counts: { one: 1, many: 1 << 20 },
  ratio: 0.1,
  nick: [ 'n1', 'n2' ],
  numbers: [ 1, -1, 1 << 30 ],
  money: '12.3400',
});
typed('User null fields', mark(USER, {}));
typed('User full', mark(USER, fullUser()));
typed('bench User', mark('com.settee.bench.User', benchUser()));

const first = { id: 'first' };
const second = { id: 'second', friend: first };
first.friend = second;
typed('User cycle of two', mark(USER, first));
const own = {};
own.friend = own;
typed('User is its own friend', mark(USER, own));
typed('User[] with one user twice', echo.echoUserArray([ own, null, own ]));
const ring = [];
ring.push(ring);
bare('ArrayList that holds itself', ring);
const me = {};
me.me = me;
bare('HashMap that holds itself', me);
const shared = [];
bare('same ArrayList twice', shared, shared);
const many = Array.from({ length: 300 }, () => []);
many.push(many[299]);
bare('ref 300', many);

/** An error whose stack does not depend on where this program stands. */
function fixedError(message) {
  const err = new Error(message);
  err.stack = `Error: ${message}\n    at Shop.buy (shop.js:12:3)`;
  return err;
}
typed('Exception from an Error', mark('java.lang.Exception', fixedError('boom')));

/** The content of the frame that the encoder writes, as the Hessian codec of sofa-bolt-node makes it. */
function content(name, write) {
  const encoder = bolt.encoder({ classMap });
  encoder.once('data', frame => {
    const request = frame[1] !== 0;
    const lengths = request ? 14 : 12;
    const start = lengths + 8 + frame.readInt16BE(lengths) + frame.readInt16BE(lengths + 2);
    put(name, frame.subarray(start, start + frame.readInt32BE(lengths + 4)));
  });
  return new Promise((resolve, reject) => write(encoder, err => (err ? reject(err) : resolve())));
}

const request = (methodName, ...args) => (encoder, done) => encoder.writeRequest(1, {
  serverSignature: 'com.settee.interop.TypeService:1.0',
  methodName,
  args,
  timeout: 3000,
  requestProps: { service: 'com.settee.interop.TypeService:1.0' },
}, done);
const response = answer => (encoder, done) => encoder.writeResponse({
  packetId: 1,
  meta: { start: Date.now() },
  options: { protocolType: 'bolt', codecType: 'hessian2', timeout: 3000, classMap },
  data: {},
}, { isError: false, errorMsg: null, appResponse: null, classMap, ...answer }, done);

async function messages() {
  await content('SofaRequest echoString(hello)', request('echoString', echo.echoString('hello')));
  await content('SofaRequest echoUser(its own friend)', request('echoUser', mark(USER, own)));
  await content('SofaRequest echoInts({1,2})', request('echoInts', echo.echoInts([ 1, 2 ])));
  await content('SofaRequest noop()', request('noop'));
  await content('SofaRequest echoString(hello) unmarked', request('echoString', 'hello'));
  await content('SofaResponse hello', response({ appResponse: 'hello' }));
  await content('SofaResponse null', response({}));
  await content('RpcServerException boom', response({
    isError: true, errorMsg: 'boom', appResponse: fixedError('boom'),
  }));
}

messages().then(() => {
  fs.writeFileSync(file, [ ...vectors ].map(([ name, bytes ]) => `${name}\t${bytes.toString('hex')}\n`).join(''));
  console.log(`wrote ${vectors.size} vectors`);
}).catch(err => {
  console.error(err);
  process.exit(1);
});
