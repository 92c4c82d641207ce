// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server for foreign gRPC clients: prints its port and serves until its standard input ends. With
// --tls FOLDER it shows server.crt there, and wants clients that ca.crt knows. With --proto it prints
// the .proto of its service instead.

#include <iostream>
#include <string>

#include "interop/tests/market_service.h"
#include "settee/rpc/grpc/proto.h"
#ifdef SETTEE_INTEROP_PROTOBUF
#include "interop/tests/proto_service.h"
#endif

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--proto") {
    std::cout << settee::rpc::grpc::proto_text(settee::service_of<interop::Market>());
    return 0;
  }
  settee::RuntimeOptions two_loops;
  two_loops.threads = 2;
  settee::Runtime runtime(two_loops);
  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  if (argc > 2 && std::string(argv[1]) == "--tls") {
    const std::string folder = argv[2];
    settee::net::TlsServerOptions tls;
    tls.certificate = folder + "/server.crt";
    tls.key = folder + "/server.key";
    tls.client_ca = folder + "/ca.crt";
    options.tls = std::make_shared<settee::net::TlsServerContext>(runtime, tls);
  }
  settee::rpc::Server server(runtime, options);
  server.provide<interop::Market>(interop::make_market());
#ifdef SETTEE_INTEROP_PROTOBUF
  server.provide<interop::ProtoService>(interop::make_proto_service());
#endif
  server.start();
  std::cout << server.port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server.stop();
}
