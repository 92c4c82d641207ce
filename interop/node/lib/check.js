// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const { isDeepStrictEqual, inspect } = require('util');

const brief = value => {
  const text = inspect(value, { depth: 3, breakLength: Infinity, maxStringLength: 60, maxArrayLength: 10 });
  return text.length > 300 ? text.slice(0, 300) + '…' : text;
};

/** Where two values first differ, with the path to that place; null when they do not. */
function difference(expected, actual, path = 'value') {
  if (isDeepStrictEqual(expected, actual)) return null;
  const bothObjects = [ expected, actual ].every(v => v !== null && typeof v === 'object' && !(v instanceof Date)
    && !Buffer.isBuffer(v));
  if (bothObjects && Array.isArray(expected) === Array.isArray(actual)) {
    for (const key of new Set([ ...Object.keys(expected), ...Object.keys(actual) ])) {
      const inner = difference(expected[key], actual[key], `${path}.${key}`);
      if (inner) return inner;
    }
  }
  return `${path}: expected ${brief(expected)}, got ${brief(actual)}`;
}

exports.that = (condition, otherwise) => {
  if (!condition) throw new Error(otherwise);
};

exports.same = (expected, actual) => {
  const found = difference(expected, actual);
  if (found) throw new Error(found);
};

/** The call must fail; returns its error. */
exports.fails = async call => {
  let answer;
  try {
    answer = await call();
  } catch (err) {
    return err;
  }
  throw new Error(`expected an error, got the answer ${brief(answer)}`);
};

exports.contains = (text, part) => {
  exports.that(String(text).includes(part), `expected a message with '${part}', got '${text}'`);
};
