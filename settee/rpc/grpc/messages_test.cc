// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Services that take and give messages of protobuf: those that it brings, as they need no protoc here.

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/type.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "settee/base/reflect.h"
#include "settee/base/service.h"
#include "settee/rpc/grpc/internal/schema.h"
#include "settee/rpc/grpc/proto.h"

namespace grpc_messages_test {

using google::protobuf::Timestamp;
using google::protobuf::Type;

struct Event {
  std::string name;
  Timestamp at;
  std::map<std::string, Timestamp> seen;
};
struct Types {
  virtual ~Types() = default;
  virtual settee::Task<Type> find(std::string name) = 0;
  virtual settee::Task<Event> last(Timestamp before) = 0;
  virtual settee::Task<void> put(Type type, std::vector<Timestamp> at) = 0;
};

}  // namespace grpc_messages_test

SETTEE_STRUCT(grpc_messages_test::Event, "google.protobuf.Timestamp", name, at, seen)
SETTEE_SERVICE(grpc_messages_test::Types, "google.protobuf.Types", (find, name), (last, before),
               (put, type, at))

namespace {

using google::protobuf::FileDescriptorProto;
using settee::service_of;
using settee::ServiceInfo;
using settee::rpc::grpc::proto_files;
using settee::rpc::grpc::proto_text;
using settee::rpc::grpc::ProtoFile;

const ServiceInfo* const kServices[] = {&service_of<grpc_messages_test::Types>()};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(GrpcMessages, AMessageIsNamedAndItsFileImported) {
  const std::string text = proto_text(kServices);
  EXPECT_TRUE(has(text,
                  "\nimport \"google/protobuf/timestamp.proto\";\n"
                  "import \"google/protobuf/type.proto\";\n"))
      << text;
  EXPECT_TRUE(has(text, "rpc find(TypesFindRequest) returns (.google.protobuf.Type);")) << text;
  EXPECT_TRUE(has(text, "(.google.protobuf.Timestamp) returns (google_protobuf_Timestamp);"));
  EXPECT_TRUE(has(text,
                  "  .google.protobuf.Type type = 1;\n"
                  "  repeated .google.protobuf.Timestamp at = 2;\n"));
  EXPECT_TRUE(has(text, "map<string, .google.protobuf.Timestamp> seen = 3;"));
}

TEST(GrpcMessages, ProtocTakesTheText) {
  if (std::system("command -v protoc >/dev/null") != 0) GTEST_SKIP() << "protoc is not there";
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("settee_messages_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "types.proto") << proto_text(kServices);
  EXPECT_EQ(std::system(("protoc --proto_path=" + folder.string() +
                         " --descriptor_set_out=/dev/null types.proto")
                            .c_str()),
            0);
  std::filesystem::remove_all(folder);
}

// As a client of reflection does it: every import is there, and all of them together make sense.
TEST(GrpcMessages, TheFilesHaveAllThatIsImported) {
  const std::vector<ProtoFile> files = proto_files(kServices);
  google::protobuf::DescriptorPool pool;
  std::vector<const ProtoFile*> left;
  for (const ProtoFile& file : files) left.push_back(&file);
  for (std::size_t round = 0; round < files.size(); ++round) {
    std::erase_if(left, [&](const ProtoFile* file) {
      FileDescriptorProto proto;
      EXPECT_TRUE(proto.ParseFromString(file->descriptor));
      const auto known = [&](const std::string& name) { return pool.FindFileByName(name); };
      const auto& needs = proto.dependency();
      return std::all_of(needs.begin(), needs.end(), known) && pool.BuildFile(proto) != nullptr;
    });
  }
  EXPECT_TRUE(left.empty());
  EXPECT_NE(pool.FindFileByName("google/protobuf/source_context.proto"), nullptr);
  const auto* const put = pool.FindMethodByName("google.protobuf.Types.put");
  ASSERT_NE(put, nullptr);
  EXPECT_EQ(put->input_type()->field(0)->message_type()->full_name(), "google.protobuf.Type");
}

TEST(GrpcMessages, SymbolsOfImportedFilesAreFound) {
  for (const ProtoFile& file : proto_files(kServices)) {
    if (file.name != "google/protobuf/type.proto") continue;
    for (const char* symbol : {"google.protobuf.Type", "google.protobuf.Field.Kind"}) {
      EXPECT_EQ(std::count(file.symbols.begin(), file.symbols.end(), symbol), 1) << symbol;
    }
    return;
  }
  ADD_FAILURE() << "no file";
}

TEST(GrpcMessages, AServiceThatAnImportedFileHasIsNotDescribedTwice) {
  FileDescriptorProto proto;
  proto.set_name("clock.proto");
  proto.set_package("com.acme");
  proto.add_service()->set_name("Clock");
  proto.mutable_service(0)->add_method()->set_name("now");
  settee::rpc::grpc::ImportedFiles imported;
  imported["clock.proto"] = settee::rpc::grpc::read_imported(proto.SerializeAsString());
  ServiceInfo clock = *kServices[0];
  clock.interface_name = "com.acme.Clock";
  const ServiceInfo* const services[] = {&clock};
  const auto schema = settee::rpc::grpc::make_schema("com.acme", services, imported);
  EXPECT_TRUE(schema.services.empty());
  ASSERT_EQ(schema.elsewhere.size(), 1U);
  EXPECT_EQ(schema.elsewhere[0].second, "clock.proto");
}

}  // namespace
