// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_server.js
// Offers the streams of com.settee.interop.Market with @grpc/grpc-js, by the derived .proto. Prints its
// port, then a line for each call that its caller has cancelled, and serves until its standard input
// ends.

'use strict';

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(path.join(__dirname, 'proto', 'market.proto'), {
  keepCase: true, longs: String, enums: String, defaults: true,
});
const { Market } = grpc.loadPackageDefinition(definition).com.settee.interop;

const tenant = (call) => String(call.metadata.get('rpc_req_baggage.tenant')[0] ?? '');
const tellOfCancel = (call, name) => call.on('cancelled', () => console.log(`${name} cancelled`));

const market = {
  header: (call, callback) => callback(null, { value: tenant(call) }),
  // A caller that does not read is waited for.
  watch(call) {
    let next = 0;
    tellOfCancel(call, 'watch');
    const more = () => {
      while (!call.cancelled && next < call.request.count) {
        if (!call.write({ sku: call.request.sku, count: ++next })) return call.once('drain', more);
      }
      return call.end();
    };
    more();
  },
  // Of all counts the sum; a negative one ends it.
  upload(call, callback) {
    let sum = 0n;
    let answered = false;
    const answer = (error, value) => {
      if (answered) return;
      answered = true;
      callback(error, value);
    };
    tellOfCancel(call, 'upload');
    call.on('data', (line) => {
      sum += BigInt(line.count);
      if (line.count < 0) answer(null, { value: String(line.count) });
    });
    call.on('end', () => answer(null, { value: String(sum) }));
    call.on('error', () => {});
  },
  // Gives back each line, and ends with an error.
  chat(call) {
    tellOfCancel(call, 'chat');
    call.on('data', (line) => call.write(line));
    call.on('end', () => call.emit('error', { code: grpc.status.UNAVAILABLE, details: 'closing' }));
  },
};

const server = new grpc.Server();
server.addService(Market.service, market);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
process.stdin.on('end', () => server.tryShutdown(() => process.exit(0)));
process.stdin.resume();
