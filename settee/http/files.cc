// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/files.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "settee/base/detail/descriptor.h"
#include "settee/base/runtime.h"
#include "settee/http/internal/characters.h"

namespace settee::inline v0::http {

namespace {

using settee::detail::Descriptor;

constexpr std::size_t kPiece = 128 * 1024;

// A file that was opened, or the status that says why not.
struct Opened {
  explicit Opened(int with) : file(-1), status(with) {}
  Opened(Descriptor opened, const struct stat& s) : file(std::move(opened)), info(s) {}
  Descriptor file;
  struct stat info {};
  int status = 200;
};

std::string_view type_of(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".txt", "text/plain; charset=utf-8"},
      {".md", "text/markdown; charset=utf-8"},
      {".xml", "application/xml"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".gif", "image/gif"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".wasm", "application/wasm"},
      {".pdf", "application/pdf"},
  };
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

// One name after the other from the directory, and none through a link: what changes meanwhile cannot
// lead elsewhere either.
Opened open_below(int directory, std::string& path) {
  if (path.empty() || path.ends_with('/')) path += "index.html";
  Descriptor at(::fcntl(directory, F_DUPFD_CLOEXEC, 0));
  std::string_view rest(path);
  for (;;) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name(rest.substr(0, slash));
    if (name.empty() || name == "." || name == "..") return Opened(404);
    const bool last = slash == rest.size();
    Descriptor next(
        ::openat(at.get(), name.c_str(),
                 O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY)));
    if (next.get() < 0) return Opened(errno == EACCES ? 403 : errno == EMFILE ? 503 : 404);
    at = std::move(next);
    if (last) break;
    rest.remove_prefix(slash + 1);
  }
  struct stat info {};
  // Devices and pipes are nobody's business; a directory wants its slash, for its links' sake.
  if (::fstat(at.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Opened(404);
  return Opened(std::move(at), info);
}

struct Range {
  std::uint64_t first;
  std::uint64_t size;
};

enum class RangeAsked { kNone, kOne, kNotThere };

// "bytes=0-99", "bytes=100-" or "bytes=-100"; what is none of these is not there (RFC 9110, 14.2).
RangeAsked read_range(std::string_view text, std::uint64_t size, Range& range) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return RangeAsked::kNone;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return RangeAsked::kNone;
  const auto number = [](std::string_view digits, std::uint64_t& value) {
    const char* const end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && at == end;
  };
  const std::string_view from = text.substr(0, dash);
  const std::string_view to = text.substr(dash + 1);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (from.empty()) {
    if (!number(to, last)) return RangeAsked::kNone;
    if (last == 0 || size == 0) return RangeAsked::kNotThere;
    const std::uint64_t tail = std::min(last, size);
    range = {size - tail, tail};
    return RangeAsked::kOne;
  }
  if (!number(from, first)) return RangeAsked::kNone;
  if (to.empty()) {
    last = UINT64_MAX;
  } else if (!number(to, last) || last < first) {
    return RangeAsked::kNone;
  }
  if (first >= size) return RangeAsked::kNotThere;
  range = {first, std::min(last, size - 1) - first + 1};
  return RangeAsked::kOne;
}

class FileSource final : public BodySource {
 public:
  FileSource(ThreadPool& pool, Descriptor file, Range range)
      : pool_(pool),
        file_(std::move(file)),
        at_(range.first),
        left_(range.size),
        size_(range.size) {}
  std::optional<std::uint64_t> size() const override { return size_; }

  Task<std::optional<Bytes>> next() override {
    if (left_ == 0) co_return std::optional<Bytes>();
    Bytes part = co_await run_on(pool_, [this] { return read(); });
    at_ += part.size();
    left_ -= part.size();
    co_return std::optional<Bytes>(std::move(part));
  }

 private:
  Bytes read() const {
    std::string part(std::min<std::uint64_t>(left_, kPiece), '\0');
    const ssize_t got = ::pread(file_.get(), part.data(), part.size(), static_cast<off_t>(at_));
    if (got <= 0) {
      throw Error(Code::kIo,
                  fmt::format("reading a file at byte {}: {}", at_,
                              got == 0 ? "it has become shorter" : std::strerror(errno)));
    }
    return Bytes(part.data(), static_cast<std::size_t>(got));
  }

  ThreadPool& pool_;
  Descriptor file_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::uint64_t size_;
};

// Of If-None-Match and If-Range; a packed answer has the same tag, weakly.
bool has_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

struct Served {
  ThreadPool& pool;
  Descriptor directory;
  std::string prefix;
};

Task<Response> serve(std::shared_ptr<const Served> served, Request request) {
  const std::string_view below = request.path();
  std::optional<std::string> decoded;
  if (below.starts_with(served->prefix))
    decoded = percent_decode(below.substr(served->prefix.size()));
  if (!decoded) co_return Response::problem(404, "there is no such file");
  std::string path = std::move(*decoded);
  Opened opened =
      co_await run_on(served->pool, [&] { return open_below(served->directory.get(), path); });
  if (opened.status != 200) co_return Response::problem(opened.status, "there is no such file");
  const struct stat& info = opened.info;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::string tag = fmt::format("\"{:x}-{:x}-{:x}.{:x}\"", info.st_ino, size,
                                      info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  Response response(200);
  response.headers.add("etag", tag);
  response.headers.add("last-modified", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                                                    fmt::gmtime(info.st_mtim.tv_sec)));
  if (const auto known = request.headers.find("if-none-match"); known && has_tag(*known, tag)) {
    response.status = 304;
    co_return response;
  }
  response.headers.add("content-type", type_of(path));
  response.headers.add("x-content-type-options", "nosniff");
  response.headers.add("accept-ranges", "bytes");
  Range range{0, size};
  const auto asked = request.headers.find("range");
  const auto condition = request.headers.find("if-range");
  if (asked && request.method == "GET" && (!condition || *condition == tag)) {
    const RangeAsked kind = read_range(*asked, size, range);
    if (kind == RangeAsked::kNotThere) {
      Response none = Response::problem(416, "the file has no such range");
      none.headers.add("content-range", fmt::format("bytes */{}", size));
      co_return none;
    }
    if (kind == RangeAsked::kOne) {
      response.status = 206;
      response.headers.add("content-range", fmt::format("bytes {}-{}/{}", range.first,
                                                        range.first + range.size - 1, size));
    }
  }
  response.body = Body(std::make_unique<FileSource>(served->pool, std::move(opened.file), range));
  co_return response;
}

}  // namespace

Handler files(ThreadPool& pool, const std::string& directory, std::string prefix) {
  const int fd = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    throw Error(Code::kIo,
                fmt::format("serving the files of {}: {}", directory, std::strerror(errno)));
  }
  const std::shared_ptr<const Served> served(new Served{pool, Descriptor(fd), std::move(prefix)});
  return Handler([served](Request request) { return serve(served, std::move(request)); });
}

}  // namespace settee::inline v0::http
