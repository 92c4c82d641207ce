// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// bench_grpc_server --port N: echo over gRPC's callback API, without TLS. Serves until SIGTERM.

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include "bench/common.h"
#include "echo.grpc.pb.h"

namespace {

class EchoService final : public settee::bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const settee::bench::Payload* request,
                                 settee::bench::Payload* response) override {
    response->set_data(request->data());
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options = bench::parse_options(argc, argv);
  sigset_t signals;  // blocked before gRPC starts its threads, so that they inherit it
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + std::to_string(options.port),
                           grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    bench::die("cannot listen on 127.0.0.1:" + std::to_string(options.port));
  }
  std::printf("READY port=%d\n", port);
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  server->Shutdown();
  return 0;
}
