// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

// The interop contract in the words of sofa-hessian-node: which Java type each field has, and how a JavaScript value is
// marked as one. See the Java interfaces in ../../java for the contract itself.

const USER = 'com.settee.interop.User';
const COLOR = 'com.settee.interop.Color';
const BENCH_USER = 'com.settee.bench.User';

const text = { type: 'java.lang.String' };

/** Field types by Java class, as the generators of Node's SOFA tools emit them. Base's field comes with User's. */
exports.classMap = {
  [USER]: {
    name: text,
    age: { type: 'int' },
    boxed: { type: 'java.lang.Integer' },
    score: { type: 'long' },
    vip: { type: 'boolean' },
    id: text,
    tags: { type: 'java.util.List', generic: [ text ] },
    color: { type: COLOR, isEnum: true },
    friend: { type: USER },
    birth: { type: 'java.util.Date' },
    counts: { type: 'java.util.Map', generic: [ text, { type: 'java.lang.Integer' } ] },
    ratio: { type: 'double' },
    nick: { type: 'java.lang.String', isArray: true, arrayDepth: 1 },
    numbers: { type: 'int', isArray: true, arrayDepth: 1 },
    money: { type: 'java.math.BigDecimal' },
  },
  'java.math.BigInteger': {
    signum: { type: 'int' },
    mag: { type: 'int', isArray: true, arrayDepth: 1 },
  },
  [BENCH_USER]: {
    id: { type: 'long' },
    name: text,
    age: { type: 'int' },
    balance: { type: 'double' },
    active: { type: 'boolean' },
    score: { type: 'float' },
    emails: { type: 'java.util.List', generic: [ text ] },
    attributes: { type: 'java.util.Map', generic: [ text, text ] },
    created: { type: 'java.util.Date' },
    tags: { type: 'java.lang.String', isArray: true, arrayDepth: 1 },
  },
};

/**
 * A value marked with the Java type that it has on the wire and in the method's signature. The type stands there twice
 * because the 4.0 writer of maps looks at `type` only, and without it names the map "undefined".
 */
const mark = (type, value, more) => ({ $class: type, type, $: value, ...more });
exports.mark = mark;

const list = (item, value) => mark('java.util.ArrayList', value, { $abstractClass: 'java.util.List', generic: [ item ] });
const map = (item, value) => mark('java.util.HashMap', value, { $abstractClass: 'java.util.Map', generic: [ text, item ] });
const array = (item, value) => mark(item, value, { isArray: true, arrayDepth: 1 });

/** How the argument and the result of each echo method are marked. */
exports.echo = {
  echoBoolean: v => mark('boolean', v),
  echoInt: v => mark('int', v),
  echoLong: v => mark('long', v),
  echoDouble: v => mark('double', v),
  echoBoxedBoolean: v => mark('java.lang.Boolean', v),
  echoBoxedInt: v => mark('java.lang.Integer', v),
  echoBoxedLong: v => mark('java.lang.Long', v),
  echoBoxedDouble: v => mark('java.lang.Double', v),
  echoString: v => mark('java.lang.String', v),
  echoBytes: v => array('byte', v),
  echoDate: v => mark('java.util.Date', v),
  echoDecimal: v => mark('java.math.BigDecimal', v),
  echoBigInteger: v => mark('java.math.BigInteger', v),
  echoColor: v => mark(COLOR, v, { isEnum: true }),
  echoUser: v => mark(USER, v),
  echoStrings: v => list(text, v),
  echoUsers: v => list({ type: USER }, v),
  echoMap: v => map({ type: 'java.lang.Integer' }, v),
  // 'java.util.Set' would be written as the name of an interface; a class name serves every reader.
  echoSet: v => mark('java.util.HashSet', v, { $abstractClass: 'java.util.Set' }),
  echoInts: v => array('int', v),
  echoLongs: v => array('long', v),
  echoDoubles: v => array('double', v),
  echoStringArray: v => array('java.lang.String', v),
  echoUserArray: v => array(USER, v),
  echoNested: v => map({ type: 'java.util.ArrayList', generic: [ { type: USER } ] }, v),
};

exports.benchEcho = {
  echo: v => mark('java.lang.String', v),
  echoBytes: v => array('byte', v),
  echoUser: v => mark(BENCH_USER, v),
};

exports.USER = USER;
exports.COLOR = COLOR;

/** The contract's byte pattern: byte i is i * 31, cut to a byte. */
exports.pattern = size => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 31;
  return bytes;
};

/** The user of the Hessian benchmarks: 2 emails, 3 attributes, 3 tags, texts of 12 to 20 ASCII bytes. */
exports.benchUser = () => ({
  id: 4000000000,
  name: 'Ada Lovelace King',
  age: 36,
  balance: 12345.678,
  active: true,
  score: 0.75,
  emails: [ 'ada@example.org.uk', 'countess@example.com' ],
  attributes: {
    'city.of.birth': 'London, England',
    'favourite.topic': 'analytical engine',
    'preferred.name': 'Countess Lovelace',
  },
  created: new Date(1700000000123),
  tags: [ 'mathematician', 'first-programmer', 'poetical-science' ],
});
