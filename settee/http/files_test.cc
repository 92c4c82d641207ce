// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/files.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "settee/http/http_test_peer.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::get;
using wire::Peer;

class FilesTest : public wire::HttpTest {
 protected:
  FilesTest() {
    root_ = (std::filesystem::temp_directory_path() / "settee_files_XXXXXX").string();
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
    std::filesystem::create_directories(root_ + "/public/sub");
    write("/secret.txt", "secret");
    write("/public/a.txt", "0123456789");
    write("/public/sub/index.html", "<p>index</p>");
    write("/public/large.bin", std::string(1'000'000, 'l'));
    std::filesystem::create_symlink(root_ + "/secret.txt", root_ + "/public/link.txt");
    std::filesystem::create_directory_symlink(root_, root_ + "/public/up");
    table_->add("GET", "/f/*", files(runtime_->pool(), root_ + "/public", "/f/"));
    serve();
    peer_ = std::make_unique<Peer>(port());
  }
  ~FilesTest() override {
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void write(const std::string& path, const std::string& text) const {
    std::ofstream(root_ + path) << text;
  }
  Answer ask(std::string_view path, std::string_view fields = "") {
    EXPECT_TRUE(peer_->send(get(path, fields)));
    return peer_->answer();
  }

  std::string root_;
  std::unique_ptr<Peer> peer_;
};

TEST_F(FilesTest, AreServedWithTheirTypes) {
  const Answer text = ask("/f/a.txt");
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.body, "0123456789");
  EXPECT_TRUE(text.has("content-type: text/plain; charset=utf-8\r\n"));
  EXPECT_TRUE(text.has("content-length: 10\r\n"));
  EXPECT_EQ(ask("/f/sub/").body, "<p>index</p>");
  EXPECT_EQ(ask("/f/%61.txt").body, "0123456789");
  EXPECT_EQ(ask("/f/large.bin").body.size(), 1'000'000u);
  EXPECT_EQ(ask("/f/none").status, 404);
  EXPECT_EQ(ask("/f/sub").status, 404);
}

TEST_F(FilesTest, NothingOutsideIsReached) {
  for (const char* path :
       {"/f/../secret.txt", "/f/%2e%2e/secret.txt", "/f/..%2fsecret.txt", "/f/sub/../../secret.txt",
        "/f//secret.txt", "/f/./a.txt", "/f/link.txt", "/f/up/secret.txt", "/f/a.txt%00.html",
        "/f/%c0%ae%c0%ae/secret.txt", "/f/..\\secret.txt", "/f//etc/passwd"}) {
    const Answer answer = ask(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << path;
  }
}

TEST_F(FilesTest, PartsOfThemCanBeHad) {
  const auto range = [&](const std::string& value) {
    return ask("/f/a.txt", "range: bytes=" + value + "\r\n");
  };
  const Answer middle = range("2-4");
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.body, "234");
  EXPECT_TRUE(middle.has("content-range: bytes 2-4/10\r\n"));
  EXPECT_EQ(range("7-").body, "789");
  EXPECT_EQ(range("-2").body, "89");
  EXPECT_EQ(range("-100").body, "0123456789");
  EXPECT_EQ(range("8-100").body, "89");
  const Answer none = range("10-");
  EXPECT_EQ(none.status, 416);
  EXPECT_TRUE(none.has("content-range: bytes */10\r\n"));
  // What is not understood is answered with all of it.
  for (const char* odd : {"4-2", "a-b", "1-2,4-5", "", "99999999999999999999-"}) {
    EXPECT_EQ(range(odd).status, 200) << odd;
  }
}

TEST_F(FilesTest, WhoHasTheFileIsNotSentItAgain) {
  const Answer first = ask("/f/a.txt");
  const std::size_t at = first.head.find("etag: ") + 6;
  const std::string tag = first.head.substr(at, first.head.find('\r', at) - at);
  EXPECT_EQ(ask("/f/a.txt", "if-none-match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(ask("/f/a.txt", "if-none-match: \"x\", W/" + tag + "\r\n").status, 304);
  EXPECT_EQ(ask("/f/a.txt", "range: bytes=0-1\r\nif-range: " + tag + "\r\n").status, 206);
  EXPECT_EQ(ask("/f/a.txt", "range: bytes=0-1\r\nif-range: \"old\"\r\n").status, 200);
  write("/public/a.txt", "changed");
  EXPECT_EQ(ask("/f/a.txt", "if-none-match: " + tag + "\r\n").body, "changed");
}

TEST_F(FilesTest, ADirectoryThatIsNotThereIsToldAtOnce) {
  EXPECT_THROW(files(runtime_->pool(), root_ + "/nowhere", "/f/"), Error);
}

}  // namespace
}  // namespace settee::http
