// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/proto.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "settee/rpc/grpc/proto_test_data.h"

namespace {

using settee::service_of;
using settee::ServiceInfo;
using settee::rpc::grpc::proto_files;
using settee::rpc::grpc::proto_text;
using settee::rpc::grpc::ProtoFile;

const ServiceInfo* const kServices[] = {
    &service_of<grpc_test::Orders>(), &service_of<grpc_test::Archive>(),
    &service_of<grpc_test::Numbers>(), &service_of<grpc_test::Elsewhere>()};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(GrpcProto, TextNamesServicesMessagesAndEnums) {
  const std::string text = proto_text(service_of<grpc_test::Orders>());
  EXPECT_TRUE(has(text, "package com.acme;")) << text;
  EXPECT_TRUE(has(text, "  rpc find(OrdersFindRequest) returns (Order);"));
  EXPECT_TRUE(has(text, "  rpc place(Order) returns (OrdersPlaceResponse);"));
  EXPECT_TRUE(has(text, "message OrdersPlaceResponse {\n  int64 value = 1;\n}"));
  EXPECT_TRUE(has(text,
                  "message OrdersCancelRequest {\n  string id = 1;\n"
                  "  optional string reason = 2;\n  repeated Side sides = 3;\n}"));
  EXPECT_TRUE(has(text, "message OrdersCancelResponse {\n}"));
  EXPECT_TRUE(has(text, "  map<string, Line> value = 1;"));
  EXPECT_TRUE(has(text, "  Order parent = 6;"));
  EXPECT_TRUE(has(text, "  int64 when = 15;  // milliseconds since 1970 UTC"));
  EXPECT_TRUE(has(text, "enum Side {\n  SIDE_BUY = 0;\n  SIDE_SELL = 1;\n}"));
  EXPECT_TRUE(has(text,
                  "enum Order_Grade {\n  ORDER_GRADE_UNSPECIFIED = 0;\n"
                  "  ORDER_GRADE_GOOD = 3;\n  ORDER_GRADE_BAD = -7;\n}"));
}

TEST(GrpcProto, FieldsHaveTheNumbersThatAreGivenElseTheirPositions) {
  EXPECT_TRUE(has(proto_text(service_of<grpc_test::Numbers>()),
                  "message Numbered {\n  string name = 7;\n  int32 total = 536870911;\n"
                  "  repeated int32 marks = 3;\n  double share = 1;\n  string id = 5;\n}"));
}

TEST(GrpcProto, TwoTypesOfOneNameAreToldApart) {
  const std::string text = proto_text(service_of<grpc_test::Orders>());
  EXPECT_TRUE(has(text, "// com.acme.Line\nmessage Line {"));
  EXPECT_TRUE(has(text, "// com.other.Line\nmessage com_other_Line {"));
}

TEST(GrpcProto, AMethodWithoutFormSaysWhichMemberHasNone) {
  const std::string text = proto_text(service_of<grpc_test::Orders>());
  EXPECT_TRUE(
      has(text, "// odd is left out: formless.what: a std::variant has no form in protobuf"))
      << text;
  EXPECT_TRUE(has(text, "// rows is left out: the result, rows: a container within a container"));
  EXPECT_FALSE(has(text, "message Formless"));
}

TEST(GrpcProto, ServicesOfAPackageShareTheirTypesInOneFile) {
  const std::vector<ProtoFile> files = proto_files(kServices);
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].name, "com/acme/services.proto");
  EXPECT_EQ(files[1].name, "com/other/services.proto");
  EXPECT_EQ(std::count(files[0].symbols.begin(), files[0].symbols.end(), "com.acme.Order"), 1);
  EXPECT_EQ(std::count(files[0].symbols.begin(), files[0].symbols.end(), "com.acme.Archive.oldest"),
            1);
}

// protoc is the judge: it must take the text and make the very descriptor of it.
TEST(GrpcProto, ProtocTakesTheTextAndMakesTheSameDescriptor) {
  if (std::system("command -v protoc >/dev/null") != 0) GTEST_SKIP() << "protoc is not there";
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("settee_proto_" + std::to_string(getpid()));
  for (const ProtoFile& file : proto_files(kServices)) {
    const std::filesystem::path path = folder / file.name;
    std::filesystem::create_directories(path.parent_path());
    const bool acme = file.name.starts_with("com/acme");
    std::ofstream(path) << (acme ? proto_text(kServices) : proto_text(*kServices[3]));
    const std::string out = (folder / "descriptors").string();
    ASSERT_EQ(std::system(("protoc --proto_path=" + folder.string() +
                           " --descriptor_set_out=" + out + " " + path.string())
                              .c_str()),
              0);
    std::ifstream in(out, std::ios::binary);
    const std::string set((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    // A FileDescriptorSet of one file is its tag, its length and the file.
    ASSERT_GT(set.size(), file.descriptor.size());
    EXPECT_EQ(set.substr(set.size() - file.descriptor.size()), file.descriptor);
    EXPECT_LE(set.size() - file.descriptor.size(), 4U);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
