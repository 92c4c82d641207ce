// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_cpp_server FOLDER
// Offers com.settee.interop.Market with gRPC C++ over TLS, by code generated from the derived .proto, as
// server.crt of that folder and to clients that ca.crt knows. Prints its port and serves until its
// standard input ends. What its client is not tested with is UNIMPLEMENTED.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "market.grpc.pb.h"

namespace {

using namespace com::settee::interop;
using grpc::ServerContext;
using grpc::Status;

class MyMarket final : public Market::Service {
  Status place(ServerContext*, const Order* order, Order* answer) override {
    *answer = *order;
    return Status::OK;
  }
  Status sell(ServerContext*, const MarketSellRequest*, MarketSellResponse*) override {
    return Status(grpc::StatusCode::FAILED_PRECONDITION, "none left: \xc3\xa4");
  }
  Status nap(ServerContext* context, const MarketNapRequest*, MarketNapResponse*) override {
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Status::CANCELLED;
  }
  // "tls-peer": who calls, by its certificate.
  Status header(ServerContext* context, const MarketHeaderRequest* request,
                MarketHeaderResponse* answer) override {
    if (request->name() == "tls-peer") {
      for (const grpc::string_ref name :
           context->auth_context()->FindPropertyValues("x509_common_name")) {
        answer->set_value(std::string(name.data(), name.size()));
      }
    }
    return Status::OK;
  }
};

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = read(folder + "/ca.crt");
  tls.pem_key_cert_pairs.push_back({read(folder + "/server.key"), read(folder + "/server.crt")});
  MyMarket market;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
  builder.RegisterService(&market);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::cout << port << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
}
