// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const check = require('./check');
const { mark, pattern, USER } = require('./contract');

// The borders of every form that a number has on the wire.
const INTS = [ 0, 1, -1, 47, 48, -16, -17, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145, 2147483647,
  -2147483648 ];
// sofa-hessian-node gives longs that a Number cannot hold as strings, and takes them so.
const LONGS = [ 0, 1, -1, 15, 16, -8, -9, 2047, 2048, -2048, -2049, 262143, 262144, -262144, -262145, 2147483647,
  -2147483648, 2147483648, -2147483649, 9007199254740991, '9007199254740993', '-9007199254740993',
  '9223372036854775807', '-9223372036854775808' ];
const DOUBLES = [ 0, 1, -1, 127, -128, 128, 32767, -32768, 32768, 0.5, 12.25, 3.14, 1e10, 1e300, 2147483647,
  Number.MIN_VALUE, Number.MAX_VALUE, NaN, Infinity, -Infinity ];

const mixedText = utf8Bytes => {
  const unit = 'settee \u00e9\u00df \u4e2d\u6587 \u{1f600} ';
  return unit.repeat(Math.floor(utf8Bytes / Buffer.byteLength(unit)) + 1);
};

/** A user with every field set except `friend`. */
const fullUser = id => ({
  id,
  name: `\u5f20\u4e09 \u{1f600} ${id}`,
  age: 41,
  boxed: -7,
  score: 4000000000,
  vip: true,
  tags: [ 'a', '', null, '\u4e2d' ],
  color: { name: 'GREEN' },
  friend: null,
  birth: new Date(1500000000123),
  counts: { one: 1, many: 1 << 20 },
  ratio: 0.1,
  nick: [ 'n1', 'n2' ],
  numbers: [ 1, -1, 1 << 30 ],
  money: { value: '12.3400' },
});

const emptyUser = () => ({
  id: null,
  name: null,
  age: 0,
  boxed: null,
  score: 0,
  vip: false,
  tags: null,
  color: null,
  friend: null,
  birth: null,
  counts: null,
  ratio: 0,
  nick: null,
  numbers: null,
  money: null,
});

/** A user marked by hand, as calls without a class map need it; the mark is what a reference refers to. */
const markedUser = id => mark(USER, { id, name: `user ${id}`, age: 1, score: mark('long', 5), friend: null });

const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));

module.exports = (peer, cases) => {
  const echoes = (method, ...values) => async () => {
    for (const value of values) check.same(value, await peer.echo(method, value));
  };
  const add = (name, body) => cases.set(name, body);

  add('whoami', async () => {
    const name = await peer.types('whoami', []);
    check.that([ 'java', 'node', 'cpp' ].includes(name), `answered ${name}`);
  });
  add('boolean', echoes('echoBoolean', true, false));
  add('int', echoes('echoInt', ...INTS));
  add('long', echoes('echoLong', ...LONGS));
  add('double', async () => {
    await echoes('echoDouble', ...DOUBLES)();
    // SOFA's Hessian writes -0.0 as the one-byte zero, so the sign may be lost; the value may not.
    check.that(await peer.echo('echoDouble', -0) === 0, '-0.0 came back as another number');
  });
  const prim = (z, b, s, c, i, j, f, d) => peer.types('prim', [ mark('boolean', z), mark('byte', b), mark('short', s),
    mark('char', c), mark('int', i), mark('long', j), mark('float', f), mark('double', d) ]);
  add('prim', async () => {
    check.same('true,-1,300,c,70000,5,1.5,2.25', await prim(true, -1, 300, 'c', 70000, 5, 1.5, 2.25));
    check.same('false,-128,-32768,\u4e2d,-2147483648,-9223372036854775808,-0.5,-1234.0625',
      await prim(false, -128, -32768, '\u4e2d', -2147483648, '-9223372036854775808', -0.5, -1234.0625));
    check.same('true,127,32767,A,2147483647,9223372036854775807,0.25,0.125',
      await prim(true, 127, 32767, 'A', 2147483647, '9223372036854775807', 0.25, 0.125));
  });
  add('boxed_boolean', echoes('echoBoxedBoolean', true, false, null));
  add('boxed_int', echoes('echoBoxedInt', ...INTS, null));
  add('boxed_long', echoes('echoBoxedLong', ...LONGS, null));
  add('boxed_double', echoes('echoBoxedDouble', ...DOUBLES, null));
  const boxed = (b, s, c, f) => peer.types('boxed', [ mark('java.lang.Byte', b), mark('java.lang.Short', s),
    mark('java.lang.Character', c), mark('java.lang.Float', f) ]);
  add('boxed', async () => {
    check.same('1,2,x,1.5', await boxed(1, 2, 'x', 1.5));
    check.same('null,null,null,null', await boxed(null, null, null, null));
    check.same('-128,null,\u00e9,null', await boxed(-128, null, '\u00e9', null));
  });

  const alphabet = 'the quick brown fox jumps over the lazy dog 0123456789';
  add('string', echoes('echoString', '', 'a', 'hello', '\u0000', 'tab\tline\nend', alphabet.slice(0, 31),
    alphabet.slice(0, 32), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(1023), 'x'.repeat(1024)));
  add('string_null', echoes('echoString', null));
  add('string_unicode', echoes('echoString', '\u4e2d\u6587\u5b57\u7b26', '\u00e9\u00e8\u00fc\u00df', '\u{1f600}',
    'a\u{1f600}b\u{1f1ea}\u{1f1fa}', '\u07ff\u0800\uffff', '\u4e2d'.repeat(31), '\u4e2d'.repeat(32),
    '\u{1f600}'.repeat(16)));
  add('string_100k', echoes('echoString', mixedText(100 * 1024)));
  // Lengths around the chunk size 32768, and surrogate pairs that lie across its border.
  add('string_chunks', echoes('echoString', 'a'.repeat(32767), 'a'.repeat(32768), 'a'.repeat(32769), 'a'.repeat(65536),
    'a'.repeat(70000), 'a'.repeat(32767) + '\u{1f600}' + 'b'.repeat(12), 'a'.repeat(32766) + '\u{1f600}'
    + 'b'.repeat(12), 'a'.repeat(65535) + '\u{1f600}', '\u{1f600}'.repeat(20000), 'x' + '\u{1f600}'.repeat(40000),
    '\u4e2d'.repeat(32769)));
  add('bytes', echoes('echoBytes', ...[ 0, 1, 15, 16, 1023, 1024, 32767, 32768, 32769, 40000, 70000 ].map(pattern)));
  add('bytes_null', echoes('echoBytes', null));
  add('date', echoes('echoDate', ...[ 0, 1, 1000000000000, 1700000000123, 60000, -1, -62135596800000, 253402300799999 ]
    .map(ms => new Date(ms)), null));
  add('decimal', async () => {
    for (const value of [ '0', '1.50', '-1.50', '3.141592653589793238462643383279502884197', '1E+20', '1E-20',
      '123456789012345678901234567890.0001' ]) {
      check.same({ value }, await peer.echo('echoDecimal', value));
    }
    check.same(null, await peer.echo('echoDecimal', null));
  });
  add('big_integer', async () => {
    // Sign and magnitude, most significant word first, each word as Java's signed int.
    for (const [ signum, mag ] of [ [ 0, [] ], [ 1, [ 1 ] ], [ -1, [ 1 ] ], [ 1, [ 99 ] ], [ 1, [ -1 ] ], [ 1, [ 1, 0 ] ],
      [ 1, [ -2147483648, 0 ] ], [ -1, [ 1, -1988915640, 305419896 ] ], [ 1, [ 1, 0, 0, 0, 0 ] ] ]) {
      const answer = await peer.echo('echoBigInteger', { signum, mag });
      check.same({ signum, mag }, { signum: answer.signum, mag: answer.mag });
    }
    check.same(null, await peer.echo('echoBigInteger', null));
  });
  add('color', echoes('echoColor', { name: 'RED' }, { name: 'GREEN' }, { name: 'BLUE' }, null));

  add('user', echoes('echoUser', fullUser('1')));
  add('user_null_fields', echoes('echoUser', emptyUser()));
  add('user_null', echoes('echoUser', null));
  add('user_nested', echoes('echoUser', { ...fullUser('outer'), friend: { ...fullUser('middle'),
    friend: { ...fullUser('inner'), friend: emptyUser() } } }));
  add('strings', echoes('echoStrings', null, [], [ 'x' ], [ 'b', 'a' ],
    times(300, i => (i % 7 === 0 ? null : `item ${i}`))));
  add('users', echoes('echoUsers', [], [ fullUser('a'), null, emptyUser() ], times(300, i => fullUser(`u${i}`))));
  add('map', echoes('echoMap', null, {}, { '': 0, '\u4e2d': -1, null: null },
    Object.fromEntries(times(300, i => [ `key ${i}`, i * 1000 ]))));
  add('set', async () => {
    check.same(null, await peer.echo('echoSet', null));
    for (const value of [ [], [ 'a', '\u4e2d', '' ], times(300, i => `element ${i}`) ]) {
      check.same([ ...value ].sort(), (await peer.echo('echoSet', value)).sort());
    }
  });
  add('int_array', echoes('echoInts', null, [], INTS, times(300, i => i * i * (i % 2 === 0 ? 1 : -1))));
  add('long_array', echoes('echoLongs', null, [], LONGS, times(300, i => i * i * i * 1000)));
  add('double_array', echoes('echoDoubles', null, [], DOUBLES, times(300, i => i / 8)));
  add('string_array', echoes('echoStringArray', null, [], [ 'a', null, '' ], times(300, i => `element ${i}`)));
  add('user_array', echoes('echoUserArray', null, [], [ fullUser('a'), null, emptyUser() ],
    times(300, i => fullUser(`u${i}`))));
  add('nested', echoes('echoNested', {}, { empty: [], none: null, two: [ fullUser('a'), fullUser('b') ] }));

  /** Sends a value as it is, under the signature java.lang.Object. */
  const object = value => peer.types('echoObject', [ value ], {}, 'plain');
  const asObject = value => mark('java.lang.Object', value);
  add('object_simple', async () => {
    const map = { int: 1, text: 'x', flag: true, half: 0.5, when: new Date(1500000000123), nothing: null,
      list: [ 1, 'two', null, [] ], bytes: Buffer.from([ 1, 2, 3 ]) };
    for (const value of [ null, true, 7, 'text', 0.5, new Date(1), 5000000000, '' ]) {
      check.same(value, await object(asObject(value)));
    }
    for (const value of [ [], [ 1, 'a', null ] ]) {
      check.same(value, await object({ ...mark('java.util.ArrayList', value), $abstractClass: 'java.lang.Object' }));
    }
    check.same(map, await object({ ...mark('java.util.HashMap', map), $abstractClass: 'java.lang.Object' }));
  });
  add('object_user', async () => {
    const answer = await object({ ...markedUser('o'), $abstractClass: 'java.lang.Object' });
    check.same([ 'o', 'user o', 1, 5 ], [ answer.id, answer.name, answer.age, answer.score ]);
  });
  add('object_cycle', async () => {
    const first = { ...markedUser('first'), $abstractClass: 'java.lang.Object' };
    const second = markedUser('second');
    first.$.friend = second;
    second.$.friend = first;
    const answer = await object(first);
    check.same([ 'first', 'second' ], [ answer.id, answer.friend.id ]);
    check.that(answer.friend.friend === answer, 'the cycle of two came back as copies');
  });
  add('object_self', async () => {
    const user = { ...markedUser('self'), $abstractClass: 'java.lang.Object' };
    user.$.friend = user;
    const answer = await object(user);
    check.that(answer.friend === answer, 'the object that refers to itself came back as copies');
  });
  add('object_shared', async () => {
    const user = markedUser('shared');
    const tags = [ 'a', 'b' ];
    const answer = await object({ ...mark('java.util.ArrayList', [ user, tags, user, tags ]),
      $abstractClass: 'java.lang.Object' });
    check.same('shared', answer[0].id);
    check.same(tags, answer[1]);
    check.that(answer[0] === answer[2], 'one user in two places came back as two');
    check.that(answer[1] === answer[3], 'one list in two places came back as two');
  });
};
