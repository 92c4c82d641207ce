// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

'use strict';

function usage(problem) {
  console.error(problem);
  process.exit(2);
}

/** Command line of the form `--name value` and `--flag`; an unknown name ends the program with status 2. */
module.exports = (args, withValue, flags) => {
  const values = {};
  for (let i = 0; i < args.length; i++) {
    const name = args[i];
    if (flags.includes(name)) {
      values[name] = true;
    } else if (withValue.includes(name)) {
      if (++i === args.length) usage(`option ${name} needs a value`);
      values[name] = args[i];
    } else {
      usage(`unknown option ${name}; known: ${[...withValue, ...flags].join(' ')}`);
    }
  }
  return {
    has: name => name in values,
    text: (name, fallback) => (name in values ? values[name] : fallback),
    number(name, fallback) {
      if (!(name in values)) return fallback;
      if (!/^-?\d+$/.test(values[name])) usage(`option ${name} needs a whole number, not '${values[name]}'`);
      return Number(values[name]);
    },
    list: name => (values[name] ? values[name].split(',') : []),
  };
};

module.exports.usage = usage;
