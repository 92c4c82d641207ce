// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee: calls services, measures them, and shows what travels on the wire. docs/cli.md tells
// more.

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>

#include "apps/settee/commands.h"
#include "apps/settee/text.h"

namespace settee::cli {

void complain(std::string_view command, std::string_view text) {
  // One write for the line, so that lines of several programs do not mix.
  const std::string line = fmt::format("settee {}: {}\n", command, printable(text));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int exit_of(const Error& error) {
  switch (error.code()) {
    case Code::kInvalidArgument:
    case Code::kConfig: return kUsage;
    case Code::kTimeout:
    case Code::kConnectFailed:
    case Code::kConnectionClosed:
    case Code::kNoProvider: return kUnreachable;
    default: return kFailed;
  }
}

namespace {

constexpr std::string_view kBench = "bench";
constexpr std::string_view kBenchMethod = "only a method String METHOD(String) can be measured";

std::string_view advice(std::string_view command, Code code) {
  switch (code) {
    case Code::kConnectFailed: return "is the server running, and are host and port right?";
    case Code::kTimeout: return "see how the server is doing, or give it more time with --timeout";
    case Code::kConnectionClosed:
      return "the server, or something between, closed the connection: its log may say why";
    case Code::kBusy: return "the server has too much to do: try again later";
    case Code::kServiceNotFound:
      return "check interface, version and uniqueId in the url against what the server offers";
    case Code::kMethodNotFound:
      return command == kBench ? kBenchMethod
                               : "Java finds a method by its name and the declared types of its "
                                 "parameters: name them with --java-types";
    case Code::kPeerDecode:
      return command == kBench
                 ? kBenchMethod
                 : "compare the arguments with the method's parameters; \"$class\" and "
                   "--java-types say their types";
    default: return {};
  }
}

}  // namespace

RuntimeOptions quiet() {
  RuntimeOptions options;
  options.threads = 1;
  options.log_level = LogLevel::kError;
  return options;
}

std::shared_ptr<net::TlsClientContext> make_tls(Runtime& runtime, const TlsFlags& flags) {
  net::TlsClientOptions options;
  options.ca = flags.ca;
  options.certificate = flags.certificate;
  options.key = flags.key;
  options.server_name = flags.server_name;
  options.insecure_trust_anybody = flags.insecure;
  options.scan_period = std::chrono::milliseconds(0);
  const bool wanted = flags.on || flags.insecure || !flags.ca.empty() ||
                      !flags.certificate.empty() || !flags.key.empty() ||
                      !flags.server_name.empty();
  return wanted ? std::make_shared<net::TlsClientContext>(runtime, options) : nullptr;
}

int complain(std::string_view command, const Error& error) {
  std::string text = error.what();
  while (text.ends_with(' ')) text.pop_back();
  if (const std::string_view what_to_do = advice(command, error.code()); !what_to_do.empty()) {
    text += fmt::format(" ({})", what_to_do);
  }
  complain(command, text);
  return exit_of(error);
}

namespace {

constexpr const char* kUrlForm =
    "bolt://host:port[,host:port...]/interface[:version[:uniqueId]] (or http, https, h2c, h2, "
    "grpc, grpcs in its place), "
    "zookeeper://host:port/interface..., etcd://host:port/interface... "
    "or file:///path#interface...";
constexpr const char* kCallFooter =
    R"(Examples:
  settee call bolt://127.0.0.1:12200/com.acme.Quotes:1.0 latest '["ACME"]'
  settee call bolt://127.0.0.1:12200/com.acme.Calc add '[1, 2]' --java-types int,long
  settee call http://127.0.0.1:12200/com.acme.Quotes latest '{"symbol": "ACME"}'
)"
#ifdef SETTEE_CLI_GRPC
    R"(  settee call grpc://127.0.0.1:50051/com.acme.Quotes/latest '{"symbol": "ACME"}'
)"
#endif
    R"(
Over http, https, h2c and h2 the JSON goes as it is, as with curl, unless --java-types is given.

)"
#ifdef SETTEE_CLI_GRPC
    R"(Over grpc and grpcs (TLS) the server is asked by reflection what its messages look like, so that any
gRPC server which has that can be called. The JSON is an object of the request's fields, and an array
of such objects where the client streams; the messages of a server's stream are printed as they come,
and without --timeout they may do so for ever.

)"
#endif
    R"(Without --java-types the types sent are those of the JSON values: int or long, double, boolean,
java.lang.String, java.util.List, java.util.Map, and the class that "$class" names:
  {"$class": "com.acme.Order", "id": 7}    {"$class": "java.util.Date", "$": "2024-05-01T12:00:00Z"}

Exit status: 0 the call was answered, 1 it failed, 2 bad usage, 3 no connection or no answer in
time.)";
constexpr const char* kBenchFooter =
    R"(The method takes and gives one String: String METHOD(String).

Closed loop: every connection keeps --outstanding calls in flight; a latency runs from the loop's
turn that sent the call to the one that brought the answer. Open loop (--rate): calls leave by
schedule, whatever the server does, and a latency runs from the time at which its call was due.

Exit status: 0 no call failed, 1 some did, 2 bad usage, 3 no connection or no answer to the first
call.)";
constexpr const char* kDescribeFooter = R"(Without --proto: an OpenAPI 3.1 document of all services.

  settee describe http://127.0.0.1:12200
  settee describe http://127.0.0.1:12200/com.acme.Quotes --proto > quotes.proto

Exit status: 0 printed, 1 the server refused, 2 bad usage, 3 no connection or no answer in time.)";
constexpr const char* kDecodeFooter =
    R"(FILE may hold hex digits (plain, or a dump of xxd, hexdump -C or od -Ax -tx1), the bytes
themselves, or packets (classic .pcap); which one is seen from its content.

Of a .pcap: Ethernet, loopback, raw IP and Linux "any" captures; IPv4 and IPv6; TCP put together for
each direction. Not supported: pcapng, IP fragments, tunnels, TLS. Where a capture begins within a
connection, frames are found by their looks.

Exit status: 0 all frames are good, 1 some are not or there is none, 2 bad usage or unreadable
file.)";

constexpr const char* kWhyFooter =
    R"(Asks the registry, connects to every address that it lists for the service, and asks each whether it
provides the service (by a call of a method that no service has). An address that is not called is
named with the step that dropped it: protocol, uniqueId, version, connect, ...

Exit status: 0 an address can be called, 2 bad usage, 3 none can.)";

constexpr const char* kServicesFooter =
    R"(For each service its providers, as they are registered: url, weight, application. Of interfaces without
a provider there is a line of its own. Nobody is connected to but the registry; 'settee why' does that.

Exit status: 0 the registry has answered, 2 bad usage, 3 it has not.)";

class CommandLine {
 public:
  CommandLine()
      : app_("settee: calls SOFARPC services, measures them, and reads their frames.", "settee") {
    app_.set_version_flag("--version", "settee " SETTEE_VERSION);
    app_.require_subcommand(1);
    app_.failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
    add_call();
    add_bench();
    add_decode();
    add_why();
    add_services();
    add_describe();
    help_ = app_.add_subcommand("help", "Tells about a command");
    help_->add_option("COMMAND", help_topic_, "call, bench, decode, describe, why or services");
  }

  int run(int argc, char** argv) {
    if (argc < 2)
      return wrong("give a command: call, bench, decode, describe, why, services or help");
    const std::vector<CLI::App*> known = app_.get_subcommands([](CLI::App*) { return true; });
    if (argv[1][0] != '-' && std::none_of(known.begin(), known.end(), [&](const CLI::App* command) {
          return command->get_name() == argv[1];
        })) {
      return wrong(fmt::format("there is no command '{}'", argv[1]));
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
      return wrong(error.what());
    }
    if (call_->parsed()) {
      call_command_.tls = tls_;
      call_command_.has_java_types = java_types_->count() > 0;
      if (timeout_->count() > 0) call_command_.timeout = std::chrono::milliseconds(timeout_ms_);
      return cli::run(call_command_);
    }
    if (bench_->parsed()) {
      bench_command_.tls = tls_;
      bench_command_.timeout = std::chrono::milliseconds(bench_timeout_ms_);
      return cli::run(bench_command_);
    }
    if (decode_->parsed()) {
      decode_command_.has_hex = hex_->count() > 0;
      if (port_->count() > 0) decode_command_.port = port_number_;
      if (decode_command_.file.empty() && !decode_command_.has_hex) {
        if (isatty(STDIN_FILENO) != 0) return wrong("give a FILE, or --hex TEXT");
        decode_command_.file = "-";
      }
      return cli::run(decode_command_);
    }
    if (why_->parsed()) {
      why_command_.tls = tls_;
      why_command_.timeout = std::chrono::milliseconds(why_timeout_ms_);
      return cli::run(why_command_);
    }
    if (describe_->parsed()) {
      describe_command_.tls = tls_;
      describe_command_.timeout = std::chrono::milliseconds(why_timeout_ms_);
      return cli::run(describe_command_);
    }
    if (services_->parsed()) {
      services_command_.timeout = std::chrono::milliseconds(why_timeout_ms_);
      return cli::run(services_command_);
    }
    return help();
  }

 private:
  // Help and messages would name it once more with its C++ type.
  template <class T>
  static CLI::Validator range(T least, T most) {
    return CLI::Range(least, most).description("");
  }

  void add_call() {
    call_ = app_.add_subcommand("call", "Calls a method by name and prints its result as JSON");
    call_->footer(kCallFooter);
    call_->add_option("URL", call_command_.url, kUrlForm)->required();
    call_->add_option("METHOD", call_command_.method,
                      "The method's name; over gRPC it may stand in the url");
    call_->add_option("ARGUMENTS", call_command_.arguments,
                      "JSON array of the arguments, or - to read it from standard input");
    java_types_ =
        call_->add_option("--java-types", call_command_.java_types,
                          "Declared types of the parameters, e.g. int,java.lang.String,byte[]");
    java_types_->delimiter(',')->expected(0, 1)->multi_option_policy(
        CLI::MultiOptionPolicy::TakeAll);
    java_types_->type_name("T,T,...");
    timeout_ = call_->add_option("--timeout", timeout_ms_, "Milliseconds (default 3000)");
    timeout_->check(range(1, 86'400'000))->type_name("N");
    call_->add_option("--baggage", call_command_.baggage, "Sent along; may be given several times")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    call_
        ->add_option("--header", call_command_.headers,
                     "Over HTTP and gRPC; may be given several times")
        ->type_name("'NAME: VALUE'")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    CLI::Option* const pretty = call_->add_flag("--pretty", call_command_.pretty,
                                                "Several lines (the default on a terminal)");
    call_->add_flag("--compact", call_command_.compact, "One line (the default elsewhere)")
        ->excludes(pretty);
    call_->add_flag("--types", call_command_.types,
                    "Shows the Java types of the result (\"$class\"), as arguments have them");
    call_->add_flag("-v,--verbose", call_command_.verbose,
                    "Tells on standard error what was called, the time it took, and its baggage");
    add_tls(*call_);
  }

  void add_tls(CLI::App& command) {
    command.add_flag("--tls", tls_.on, "Speaks TLS, and trusts whom the system trusts");
    command.add_option("--tls-ca", tls_.ca, "PEM file or folder: whom to trust in their place")
        ->type_name("FILE");
    command.add_option("--tls-cert", tls_.certificate, "PEM file: what to show (mutual TLS)")
        ->type_name("FILE");
    command.add_option("--tls-key", tls_.key, "PEM file: the key of --tls-cert")->type_name("FILE");
    command.add_option("--tls-name", tls_.server_name, "The server's name, in place of the host's")
        ->type_name("NAME");
    command.add_flag("--tls-insecure", tls_.insecure, "For tests: verifies nothing");
  }

  void add_bench() {
    bench_ = app_.add_subcommand("bench", "Measures calls of a method: rate, latency, CPU time");
    bench_->footer(kBenchFooter);
    bench_->add_option("URL", bench_command_.url, kUrlForm)->required();
    bench_->add_option("METHOD", bench_command_.method, "A method String METHOD(String)")
        ->required();
    const auto number = [this](const char* name, auto& place, const char* what, auto least,
                               auto most) {
      return bench_->add_option(name, place, what)
          ->check(range(least, most))
          ->type_name("N")
          ->take_last()  // scripts append to defaults of their own
          ->capture_default_str();
    };
    number("--connections", bench_command_.connections, "Connections", 1, 100'000);
    number("--outstanding", bench_command_.outstanding,
           "Closed loop: calls in flight on each connection", 1, 1'000'000);
    number("--payload", bench_command_.payload, "Bytes of the argument", 0, 1'000'000'000);
    number("--duration", bench_command_.duration, "Seconds measured", 0.01, 86'400.0);
    number("--warmup", bench_command_.warmup, "Seconds before that, not measured", 0.0, 86'400.0);
    bench_
        ->add_option(
            "--rate", bench_command_.rate,
            "Open loop: calls per second over all connections; --outstanding then says nothing")
        ->check(range(0.01, 10'000'000.0))
        ->take_last()
        ->type_name("N");
    bench_
        ->add_option("--server-pid", bench_command_.server_pid,
                     "A process on this machine whose CPU time is measured too")
        ->check(range(1, 1 << 22))  // Linux has no larger ones
        ->type_name("PID");
    number("--timeout", bench_timeout_ms_, "Milliseconds for a call", 1, 86'400'000);
    bench_->add_option("--protocol", protocol_, "Only bolt so far")
        ->check(CLI::IsMember({"bolt"}).description(""))
        ->type_name("NAME")
        ->capture_default_str();
    bench_->add_flag("--json", bench_command_.json, "Prints one JSON object");
    add_tls(*bench_);
  }

  void add_decode() {
    decode_ =
        app_.add_subcommand("decode", "Shows the Bolt frames in bytes or in a packet capture");
    decode_->footer(kDecodeFooter);
    CLI::Option* const file =
        decode_->add_option("FILE", decode_command_.file, "What to read; - is standard input");
    hex_ = decode_->add_option("--hex", decode_command_.hex, "The bytes in hex digits");
    hex_->excludes(file);
    port_ =
        decode_->add_option("--port", port_number_, "Of a capture, only connections of this port");
    port_->check(range(1, 65535))->type_name("N");
    decode_->add_flag("--full", decode_command_.full, "Does not shorten long values");
  }

  void add_why() {
    why_ = app_.add_subcommand("why", "Tells where calls of a service go, and why not elsewhere");
    why_->footer(kWhyFooter);
    why_->add_option("URL", why_command_.url, kUrlForm)->required();
    why_->add_option("--timeout", why_timeout_ms_, "Milliseconds for each step")
        ->check(range(1, 86'400'000))
        ->type_name("N")
        ->capture_default_str();
    add_tls(*why_);
  }

  void add_services() {
    services_ = app_.add_subcommand("services", "Lists what a registry knows");
    services_->footer(kServicesFooter);
    services_
        ->add_option("URL", services_command_.url,
                     "zookeeper://host:port[/root], etcd://host:port[/root] or file:///path")
        ->required();
    services_->add_option("--timeout", why_timeout_ms_, "Milliseconds for each step")
        ->check(range(1, 86'400'000))
        ->type_name("N")
        ->capture_default_str();
  }

  void add_describe() {
    describe_ = app_.add_subcommand("describe", "Prints what a server says of its services");
    describe_->footer(kDescribeFooter);
    describe_
        ->add_option("URL", describe_command_.url, "http://host:port[/interface[:version[:id]]]")
        ->required();
    describe_->add_flag("--proto", describe_command_.proto, "A .proto file, for clients of gRPC");
    describe_->add_option("--timeout", why_timeout_ms_, "Milliseconds to wait")
        ->check(range(1, 86'400'000))
        ->type_name("N")
        ->capture_default_str();
    add_tls(*describe_);
  }

  // What was wrong, on one line, and where to read more.
  int wrong(std::string_view why) const {
    const CLI::App* here = &app_;
    for (const CLI::App* command : {call_, bench_, decode_, describe_, why_, services_}) {
      if (command->parsed()) here = command;
    }
    const std::string name = here == &app_ ? "" : here->get_name();
    std::string line =
        fmt::format("settee{}{}: {}; see 'settee{}{} --help'\n", name.empty() ? "" : " ", name,
                    printable(why), name.empty() ? "" : " ", name);
    std::fwrite(line.data(), 1, line.size(), stderr);
    return kUsage;
  }

  int help() const {
    const CLI::App* topic = &app_;
    if (!help_topic_.empty()) {
      topic = nullptr;
      for (const CLI::App* command : {call_, bench_, decode_, describe_, why_, services_}) {
        if (command->get_name() == help_topic_) topic = command;
      }
      if (topic == nullptr) return wrong(fmt::format("there is no command '{}'", help_topic_));
    }
    // Not topic->help(), which passes on to the command that was given: this one.
    const std::string text = app_.get_formatter()->make_help(
        topic, topic == &app_ ? "settee" : "settee " + help_topic_, CLI::AppFormatMode::Normal);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kOk;
  }

  CLI::App app_;
  CLI::App* call_ = nullptr;
  CLI::App* bench_ = nullptr;
  CLI::App* decode_ = nullptr;
  CLI::App* describe_ = nullptr;
  CLI::App* why_ = nullptr;
  CLI::App* services_ = nullptr;
  CLI::App* help_ = nullptr;
  CLI::Option* java_types_ = nullptr;
  CLI::Option* timeout_ = nullptr;
  CLI::Option* hex_ = nullptr;
  CLI::Option* port_ = nullptr;
  std::string help_topic_;
  std::string protocol_ = "bolt";
  int timeout_ms_ = 3000;
  int bench_timeout_ms_ = 3000;
  std::uint16_t port_number_ = 0;
  TlsFlags tls_;
  CallCommand call_command_;
  BenchCommand bench_command_;
  DecodeCommand decode_command_;
  DescribeCommand describe_command_;
  WhyCommand why_command_;
  ServicesCommand services_command_;
  int why_timeout_ms_ = 3000;
};

}  // namespace
}  // namespace settee::cli

int main(int argc, char** argv) {
  try {
    return settee::cli::CommandLine().run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "settee: %s\n", settee::cli::printable(error.what()).c_str());
  } catch (...) {
    std::fputs("settee: ended by an exception of unknown type\n", stderr);
  }
  return settee::cli::kFailed;
}
