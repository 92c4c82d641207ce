// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Usage: grpc_cpp_client PORT [FOLDER]
// Calls com.settee.interop.Market with gRPC C++, by code generated from the derived .proto; ends with 1 at
// a surprise. With a folder over TLS, as client.crt there, to whom ca.crt knows; with SETTEE_REFUSED the
// two do not trust each other. SETTEE_SERVER_NAME: whom it expects in place of the address.

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "market.grpc.pb.h"

namespace {

using com::settee::interop::Line;
using com::settee::interop::Market;
using com::settee::interop::Order;

int failures = 0;

void expect(bool holds, const std::string& what, const grpc::Status& status = grpc::Status()) {
  if (holds) return;
  std::cerr << "not ok: " << what << " (status " << status.error_code() << ": "
            << status.error_message() << ")\n";
  ++failures;
}

void unary(Market::Stub& market) {
  Order order;
  order.set_id("seven \xc3\xa4");
  order.set_cents(-9'007'199'254'740'993);
  order.set_side(com::settee::interop::SIDE_SELL);
  Line* line = order.add_lines();
  line->set_sku("a");
  line->set_count(-1);
  order.add_lines();
  (*order.mutable_counts())["k"] = 7;
  order.set_note("");
  order.set_raw(std::string("\0\xff", 2));
  order.set_price(0.5);
  order.add_history(1);
  order.add_history(-2);
  order.set_when(1'700'000'000'123);
  order.set_total("12.340");
  order.mutable_parent()->set_id("p");
  order.mutable_parent()->set_total("0");
  for (const auto algorithm : {GRPC_COMPRESS_NONE, GRPC_COMPRESS_GZIP}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    order.set_id(order.id() + std::string(algorithm == GRPC_COMPRESS_GZIP ? 10'000 : 0, 'x'));
    Order answer;
    const grpc::Status status = market.place(&context, order, &answer);
    expect(status.ok(), "place", status);
    expect(answer.SerializeAsString() == order.SerializeAsString(), "place: the same comes back");
  }
}

void errors(Market::Stub& market) {
  {
    grpc::ClientContext context;
    com::settee::interop::MarketSellRequest request;
    request.set_sku("s1");
    com::settee::interop::MarketSellResponse answer;
    const grpc::Status status = market.sell(&context, request, &answer);
    expect(status.error_code() == grpc::StatusCode::UNKNOWN, "sell", status);
    expect(status.error_message() == "none left: \xc3\xa4", "sell: its message", status);
    expect(status.error_details().find("com.settee.interop.SoldOut") != std::string::npos,
           "sell: its details", status);
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  com::settee::interop::MarketNapRequest request;
  request.set_ms(60'000);
  com::settee::interop::MarketNapResponse answer;
  const grpc::Status status = market.nap(&context, request, &answer);
  expect(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED, "a deadline", status);
}

void streams(Market::Stub& market) {
  Line line;
  {
    grpc::ClientContext context;
    com::settee::interop::MarketWatchRequest request;
    request.set_sku("w");
    request.set_count(1000);
    const auto reader = market.watch(&context, request);
    int count = 0;
    while (reader->Read(&line)) expect(line.count() == count++, "watch: in order");
    const grpc::Status status = reader->Finish();
    expect(status.ok() && count == 1000, "watch", status);
  }
  {
    grpc::ClientContext context;
    com::settee::interop::MarketUploadResponse answer;
    const auto writer = market.upload(&context, &answer);
    for (int i = 1; i <= 1000; ++i) {
      line.set_count(i);
      expect(writer->Write(line), "upload: a write");
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    expect(status.ok() && answer.value() == 500'500, "upload", status);
  }
  grpc::ClientContext context;
  const auto both = market.chat(&context);
  for (int i = 1; i <= 50; ++i) {
    line.set_count(i);
    expect(both->Write(line) && both->Read(&line) && line.count() == 2 * i, "chat: in turn");
  }
  both->WritesDone();
  expect(!both->Read(&line), "chat: its end");
  const grpc::Status status = both->Finish();
  expect(status.ok(), "chat", status);
}

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::Channel> channel_to(const std::string& port, const char* folder) {
  grpc::ChannelArguments arguments;
  if (const char* const name = std::getenv("SETTEE_SERVER_NAME")) {
    arguments.SetSslTargetNameOverride(name);
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (folder != nullptr) {
    const std::string at = folder;
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = read(at + "/ca.crt");
    tls.pem_cert_chain = read(at + "/client.crt");
    tls.pem_private_key = read(at + "/client.key");
    credentials = grpc::SslCredentials(tls);
  }
  return grpc::CreateCustomChannel("127.0.0.1:" + port, credentials, arguments);
}

void peer(Market::Stub& market, bool refused) {
  grpc::ClientContext context;
  com::settee::interop::MarketHeaderRequest request;
  request.set_name("tls-peer");
  com::settee::interop::MarketHeaderResponse answer;
  const grpc::Status status = market.header(&context, request, &answer);
  if (refused) {
    expect(status.error_code() == grpc::StatusCode::UNAVAILABLE, "it is refused", status);
  } else {
    expect(status.ok() && answer.value() == "CN=client", "who it is", status);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const char* const folder = argc > 2 ? argv[2] : nullptr;
  const std::unique_ptr<Market::Stub> market = Market::NewStub(channel_to(argv[1], folder));
  const bool refused = std::getenv("SETTEE_REFUSED") != nullptr;
  if (folder != nullptr) peer(*market, refused);
  if (refused) return failures == 0 ? 0 : 1;
  unary(*market);
  errors(*market);
  streams(*market);
  std::cout << (failures == 0 ? "all well" : "not all well") << std::endl;
  return failures == 0 ? 0 : 1;
}
