// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

const fs = require('fs');

/** Writes one line to standard output, whole and at once, also when it is a full pipe. */
exports.line = text => {
  let bytes = Buffer.from(text.replace(/\r/g, '\\r').replace(/\n/g, '\\n') + '\n');
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(fs.writeSync(1, bytes));
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err;
    }
  }
};

/** After that many seconds prints the lines and ends the process with status 3. */
exports.watchdog = (seconds, verdict) => {
  setTimeout(() => {
    for (const text of verdict()) exports.line(text);
    process.exit(3);
  }, seconds * 1000).unref();
};

const traced = process.env.SETTEE_PEER_TRACE !== undefined;
const print = level => (...args) => {
  if (traced) console.error(level, ...args);
};

/** The logger that the SOFA packages ask for; silent unless SETTEE_PEER_TRACE is set. */
exports.logger = { debug() {}, info: print('INFO'), warn: print('WARN'), error: print('ERROR') };
exports.traced = traced;
