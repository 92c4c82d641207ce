// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_reflection_server
// Offers com.settee.interop.Market with gRPC C++ in plain text, by code generated from the derived
// .proto, and gRPC C++'s own reflection (v1alpha in 1.51). Prints its port and serves until its
// standard input ends.

#include <google/protobuf/any.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "market.grpc.pb.h"

namespace {

using namespace com::settee::interop;
using grpc::ServerContext;
using grpc::Status;

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
  // How many milliseconds the caller would wait.
  Status nap(ServerContext* context, const MarketNapRequest*, MarketNapResponse* answer) override {
    const auto left = context->deadline() - std::chrono::system_clock::now();
    answer->set_value(
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(left).count()));
    return Status::OK;
  }
  Status header(ServerContext* context, const MarketHeaderRequest*,
                MarketHeaderResponse* answer) override {
    answer->set_value(tenant_of(*context));
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

}  // namespace

int main() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  MyMarket market;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&market);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) return 1;
  std::cout << port << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
}
