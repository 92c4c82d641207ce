// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_cpp_server [FOLDER], grpc_reflection_server [FOLDER]
// Offers com.settee.interop.Market with gRPC C++, by code generated from the derived .proto: in plain
// text, or, with a folder, over TLS, as server.crt of that folder and to clients that ca.crt knows. The
// second one has gRPC C++'s own reflection too (v1alpha in 1.51), which comes with a library that is
// linked. Prints its port, then a line for each stream that its caller has cancelled, and serves until
// its standard input ends.

#include <google/protobuf/any.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/grpcpp.h>
#ifdef SETTEE_INTEROP_REFLECTION
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#endif

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
using std::chrono::milliseconds;

std::string tenant_of(const ServerContext& context) {
  const auto found = context.client_metadata().find("rpc_req_baggage.tenant");
  return found == context.client_metadata().end()
             ? std::string()
             : std::string(found->second.data(), found->second.size());
}

// A google.rpc.Status with two details: a message that reflection describes, and one that it does not.
std::string details_of(const Line& line) {
  google::protobuf::UnknownFieldSet status;
  status.AddVarint(1, grpc::StatusCode::FAILED_PRECONDITION);
  google::protobuf::Any detail;
  detail.PackFrom(line);
  status.AddLengthDelimited(3, detail.SerializeAsString());
  detail.set_type_url("type.googleapis.com/com.acme.Hidden");
  status.AddLengthDelimited(3, detail.SerializeAsString());
  std::string bytes;
  status.SerializeToString(&bytes);
  return bytes;
}

class MyMarket final : public Market::Service {
  Status place(ServerContext*, const Order* order, Order* answer) override {
    *answer = *order;
    return Status::OK;
  }
  Status add(ServerContext*, const MarketAddRequest* request, MarketAddResponse* answer) override {
    answer->set_value(request->a() + request->b());
    return Status::OK;
  }
  Status sell(ServerContext*, const MarketSellRequest* request, MarketSellResponse*) override {
    Line line;
    line.set_sku(request->sku());
    line.set_count(3);
    return Status(grpc::StatusCode::FAILED_PRECONDITION, "none left: \xc3\xa4", details_of(line));
  }
  // For so long, or until its caller gives up. How many milliseconds the caller would wait.
  Status nap(ServerContext* context, const MarketNapRequest* request,
             MarketNapResponse* answer) override {
    const auto left = context->deadline() - std::chrono::system_clock::now();
    answer->set_value(std::to_string(std::chrono::duration_cast<milliseconds>(left).count()));
    const auto end = std::chrono::steady_clock::now() + milliseconds(request->ms());
    while (std::chrono::steady_clock::now() < end) {
      if (context->IsCancelled()) return Status::CANCELLED;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return Status::OK;
  }
  // "tls-peer": who calls, by its certificate; else the tenant in its baggage.
  Status header(ServerContext* context, const MarketHeaderRequest* request,
                MarketHeaderResponse* answer) override {
    if (request->name() != "tls-peer") {
      answer->set_value(tenant_of(*context));
      return Status::OK;
    }
    for (const grpc::string_ref& name :
         context->auth_context()->FindPropertyValues("x509_common_name")) {
      answer->set_value(std::string(name.data(), name.size()));
    }
    return Status::OK;
  }
  Status watch(ServerContext*, const MarketWatchRequest* request,
               grpc::ServerWriter<Line>* lines) override {
    Line line;
    line.set_sku(request->sku());
    for (int i = 1; i <= request->count(); ++i) {
      line.set_count(i);
      if (!lines->Write(line)) return cancelled("watch");
    }
    return Status::OK;
  }
  // Of all counts the sum; a negative one ends it.
  Status upload(ServerContext* context, grpc::ServerReader<Line>* lines,
                MarketUploadResponse* answer) override {
    std::int64_t sum = 0;
    for (Line line; lines->Read(&line);) {
      sum += line.count();
      if (line.count() < 0) {
        answer->set_value(line.count());
        return Status::OK;
      }
    }
    if (context->IsCancelled()) return cancelled("upload");
    answer->set_value(sum);
    return Status::OK;
  }
  // Gives back each line, and ends with an error.
  Status chat(ServerContext* context, grpc::ServerReaderWriter<Line, Line>* lines) override {
    for (Line line; lines->Read(&line);) lines->Write(line);
    if (context->IsCancelled()) return cancelled("chat");
    return Status(grpc::StatusCode::UNAVAILABLE, "closing");
  }

 private:
  static Status cancelled(const std::string& what) {
    std::cout << what + " cancelled\n" << std::flush;
    return Status::CANCELLED;
  }
};

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> credentials(const std::string& folder) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = read(folder + "/ca.crt");
  tls.pem_key_cert_pairs.push_back({read(folder + "/server.key"), read(folder + "/server.crt")});
  return grpc::SslServerCredentials(tls);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) return 2;
#ifdef SETTEE_INTEROP_REFLECTION
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
#endif
  MyMarket market;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      "127.0.0.1:0", argc == 2 ? credentials(argv[1]) : grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&market);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::cout << port << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
}
