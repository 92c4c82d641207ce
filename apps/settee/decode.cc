// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// settee decode: Bolt frames from hex text, bytes or a packet capture, told field by field.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>

#include "apps/settee/capture.h"
#include "apps/settee/commands.h"
#include "apps/settee/hex.h"
#include "apps/settee/text.h"
#include "settee/hessian/codec.h"
#include "settee/hessian/json.h"
#include "settee/rpc/bolt/frame.h"

namespace settee::cli {

namespace {

namespace bolt = rpc::bolt;
using hessian::Value;
using Octets = std::span<const std::uint8_t>;

constexpr std::string_view kName = "decode";
constexpr std::size_t kLargestFile = std::size_t{1} << 30;
constexpr std::size_t kShownText = 2000;  // of one value, without --full
constexpr std::size_t kShownBytes = 256;
constexpr std::size_t kSearched = 1 << 20;  // for the next frame behind a bad one

constexpr std::string_view kSwitch = "switch";

std::uint32_t big(Octets data) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : data) value = value << 8 | byte;
  return value;
}

std::string_view status_name(std::uint32_t status) {
  switch (static_cast<bolt::Status>(status)) {
    case bolt::Status::kSuccess: return "success";
    case bolt::Status::kError: return "error";
    case bolt::Status::kServerException: return "server exception";
    case bolt::Status::kUnknown: return "unknown";
    case bolt::Status::kBusy: return "server thread pool busy";
    case bolt::Status::kErrorComm: return "communication error";
    case bolt::Status::kNoProcessor: return "no processor";
    case bolt::Status::kTimeout: return "timeout";
    case bolt::Status::kClientSendError: return "client send error";
    case bolt::Status::kCodecException: return "codec exception";
    case bolt::Status::kConnectionClosed: return "connection closed";
    case bolt::Status::kServerSerialize: return "server could not encode its answer";
    case bolt::Status::kServerDeserialize: return "server could not decode the request";
  }
  return "not a known status";
}

std::string_view codec_name(std::uint32_t codec) {
  switch (codec) {
    case 1: return "hessian2";
    case 2: return "java";
    case 4: return "hessian2 (old number)";
    case 11: return "protobuf";
    case 12: return "json";
    case 13: return "msgpack";
    case 14: return "protostuff";
    case 22: return "fury2";
    case 23: return "fory";
    default: return "not a known codec";
  }
}

// The fixed part of a frame, field by field. Source: docs/protocols/bolt.md.
struct Field {
  std::string_view name;
  std::size_t offset;
  std::size_t size;
};

// The fields that a frame has which begins with `data`, as far as they are there.
std::vector<Field> fixed_fields(Octets data) {
  std::vector<Field> fields;
  std::size_t at = 0;
  const auto add = [&](std::string_view name, std::size_t size) {
    fields.push_back({name, at, size});
    at += size;
  };
  if (data.empty() || (data[0] != 1 && data[0] != 2)) return fields;
  const bool second = data[0] == 2;
  const std::size_t type_at = second ? 2 : 1;
  const bool response = data.size() > type_at && data[type_at] == 0;
  add("proto", 1);
  if (second) add("ver1", 1);
  add("type", 1);
  add("cmdcode", 2);
  add("ver2", 1);
  add("requestId", 4);
  add("codec", 1);
  if (second) add(kSwitch, 1);
  if (response) {
    add("respStatus", 2);
  } else {
    add("timeout", 4);
  }
  add("classLen", 2);
  add("headerLen", 2);
  add("contentLen", 4);
  std::erase_if(fields, [data](const Field& f) { return f.offset + f.size > data.size(); });
  return fields;
}

std::string field_text(const Field& field, std::uint32_t value) {
  if (field.name == "type") {
    static constexpr std::string_view kTypes[] = {"response", "request", "oneway request"};
    return fmt::format("{} {}", value, value < 3 ? kTypes[value] : "not a known type");
  }
  if (field.name == "cmdcode") {
    static constexpr std::string_view kCommands[] = {"heartbeat", "request", "response"};
    return fmt::format("{} {}", value, value < 3 ? kCommands[value] : "not a known command");
  }
  if (field.name == "codec") return fmt::format("{} {}", value, codec_name(value));
  if (field.name == kSwitch) return fmt::format("{}{}", value, (value & 1) != 0 ? " CRC" : "");
  if (field.name == "timeout") {
    return static_cast<std::int32_t>(value) < 0
               ? fmt::format("{} none", static_cast<std::int32_t>(value))
               : fmt::format("{} ms", value);
  }
  if (field.name == "respStatus") return fmt::format("0x{:04x} {}", value, status_name(value));
  if (field.size == 2)
    return fmt::format("{}", static_cast<std::int16_t>(value));  // as Java reads it
  return fmt::format("{}", static_cast<std::int32_t>(value));
}

std::string hex_dump(Octets bytes, std::size_t limit, std::size_t origin) {
  std::string out;
  const std::size_t shown = std::min(bytes.size(), limit);
  for (std::size_t at = 0; at < shown; at += 16) {
    const Octets line = bytes.subspan(at, std::min<std::size_t>(16, shown - at));
    std::string text;
    for (const std::uint8_t byte : line) {
      text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    out += fmt::format("    {:06x}  {:<47}  {}\n", origin + at,
                       fmt::format("{:02x}", fmt::join(line, " ")), text);
  }
  if (shown < bytes.size()) {
    out += fmt::format("    ... ({} more bytes; --full shows all)\n", bytes.size() - shown);
  }
  return out;
}

/// Prints the frames of one stream of bytes.
class Decoder {
 public:
  explicit Decoder(bool full) : full_(full) {}

  /// `origin` is the offset of `data` in the whole stream. `search`: it may begin within a frame.
  void stream(Octets data, std::size_t origin, bool search) {
    limits_.content = INT32_MAX;
    limits_.class_name = INT16_MAX;
    std::size_t at = 0;
    if (search) at = skip_to_frame(data, 0, origin);
    while (at < data.size()) {
      const Octets rest = data.subspan(at);
      bolt::Frame frame;
      const bolt::FrameStep step = bolt::read_frame(rest, limits_, frame);
      if (step.kind == bolt::FrameStep::kFrame) {
        ++frames_;
        print_frame(frame, rest.first(step.size), origin + at);
        at += step.size;
        continue;
      }
      ++frames_;
      const bool cut = step.kind == bolt::FrameStep::kMore;
      out("frame {} at 0x{:x}: {}\n", frames_, origin + at, cut ? "cut off" : "bad");
      if (cut) {
        print_fixed(rest, origin + at, rest.size());
        print_beginning(rest, origin + at);
        bad(origin + data.size(),
            fmt::format("the bytes end {} before the frame does: it needs {}, "
                        "there are {}",
                        step.size - rest.size(), step.size, rest.size()));
        return;
      }
      print_fixed(rest, origin + at, step.offset);
      bad(origin + at + step.offset, step.rule);
      at = skip_to_frame(data, at + 1, origin);
    }
  }

  void note(std::string_view text) { out("{}\n", text); }
  std::size_t frames() const noexcept { return frames_; }
  std::size_t bad_frames() const noexcept { return bad_; }
  const std::string& first_bad() const noexcept { return first_bad_; }

 private:
  template <class... A>
  void out(fmt::format_string<A...> format, A&&... arguments) {
    const std::string text = fmt::format(format, std::forward<A>(arguments)...);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }

  void line(std::size_t offset, std::string_view name, std::string_view text) {
    out("  {:06x}  {:<11} {}\n", offset, name, text);
  }

  void bad(std::size_t offset, std::string_view why) {
    ++bad_;
    const std::string text = fmt::format("at 0x{:x}: {}", offset, why);
    if (first_bad_.empty()) first_bad_ = text;
    out("  error {}\n\n", printable(text));
  }

  std::string shown_json(const Value& value) const {
    const std::string text = json::to_text(value, json::Layout::kCompact, json::TypeNames::kAll);
    return full_ ? text : shortened(text, kShownText);
  }

  std::string shown(std::string_view text) const {
    const std::string safe = printable(text);
    return full_ ? safe : shortened(safe, kShownText);
  }

  void print_fixed(Octets data, std::size_t origin, std::size_t end) {
    for (const Field& field : fixed_fields(data)) {
      if (field.offset >= end) break;
      line(origin + field.offset, field.name,
           field_text(field, big(data.subspan(field.offset, field.size))));
    }
  }

  void print_frame(const bolt::Frame& frame, Octets whole, std::size_t origin) {
    static constexpr std::string_view kTypes[] = {"response", "request", "oneway request"};
    const std::string_view version = frame.version == bolt::Version::kV1   ? "v1"
                                     : frame.version == bolt::Version::kV2 ? "v2.1"
                                                                           : "v2.2";
    const bool heartbeat = frame.command == bolt::Command::kHeartbeat;
    out("frame {} at 0x{:x}: Bolt {} {}{}, id {}, {} bytes\n", frames_, origin, version,
        heartbeat ? "heartbeat " : "", kTypes[static_cast<int>(frame.type)], frame.id,
        whole.size());
    print_fixed(whole, origin, whole.size());
    const auto offset_of = [&](const void* part) {
      return origin +
             static_cast<std::size_t>(static_cast<const std::uint8_t*>(part) - whole.data());
    };
    if (!frame.class_name.empty()) {
      line(offset_of(frame.class_name.data()), "class", shown(frame.class_name));
    }
    bool response_error = false;
    if (!frame.header.empty()) {
      const std::size_t at = offset_of(frame.header.data());
      line(at, "header", "");
      bolt::HeaderReader header(frame.header);
      std::string_view key;
      std::string_view value;
      while (header.next(key, value)) {
        out("    {} = {}\n", shown(key), shown(value));
        response_error |= key == "sofa_head_response_error" && value == "true";
      }
      if (header.broken()) {
        bad(at, "the header block is broken: a text's length is negative or leads out of it");
      }
    }
    if (!frame.content.empty()) {
      print_content(frame, offset_of(frame.content.data()), response_error);
    }
    if (frame.crc) {
      line(origin + whole.size() - 4, "crc", fmt::format("0x{:08x} good", big(whole.last(4))));
    }
    out("\n");
  }

  // What there is of a frame that is cut off behind its fixed part, whose lengths have been
  // checked.
  void print_beginning(Octets rest, std::size_t origin) {
    const std::vector<Field> fields = fixed_fields(rest);
    if (fields.empty() || fields.back().name != "contentLen") return;
    std::size_t at = fields.back().offset + 4;
    const auto length = [&](std::size_t from_end) {
      const Field& field = fields[fields.size() - from_end];
      return static_cast<std::size_t>(big(rest.subspan(field.offset, field.size)));
    };
    const auto take = [&](std::size_t size) {
      const Octets part = rest.subspan(at, std::min(size, rest.size() - at));
      at += part.size();
      return part;
    };
    if (const Octets name = take(length(3)); !name.empty()) {
      line(origin + at - name.size(), "class",
           shown({reinterpret_cast<const char*>(name.data()), name.size()}));
    }
    if (const Octets header = take(length(2)); !header.empty()) {
      line(origin + at - header.size(), "header", "");
      bolt::HeaderReader reader(header);
      std::string_view key;
      std::string_view value;
      while (reader.next(key, value)) out("    {} = {}\n", shown(key), shown(value));
    }
    if (const Octets content = take(length(1)); !content.empty()) {
      line(origin + at - content.size(), "content", "its beginning");
      print_dump(content, origin + at - content.size());
    }
  }

  void print_dump(Octets bytes, std::size_t origin) {
    const std::string dump = hex_dump(bytes, full_ ? SIZE_MAX : kShownBytes, origin);
    std::fwrite(dump.data(), 1, dump.size(), stdout);
  }

  void print_content(const bolt::Frame& frame, std::size_t origin, bool response_error) {
    const auto codec = static_cast<bolt::Codec>(frame.codec);
    const std::string_view text(reinterpret_cast<const char*>(frame.content.data()),
                                frame.content.size());
    if (codec == bolt::Codec::kHessian || frame.class_name == bolt::kExceptionClass) {
      print_hessian(frame, origin);
    } else if (codec == bolt::Codec::kJson) {
      line(origin, "content", "JSON");
      const Result<Value> value = json::parse_value(text);
      if (!value) {
        bad(origin, value.error().message());
        return;
      }
      out("    {}\n", full_ ? json::to_text(*value) : shortened(json::to_text(*value), kShownText));
    } else if (response_error) {
      line(origin, "content", "error text");
      out("    {}\n", shown(text));
    } else {
      line(origin, "content", codec_name(frame.codec));
      print_dump(frame.content, origin);
    }
  }

  // One stream of values: an object, and behind a SofaRequest the arguments.
  void print_hessian(const bolt::Frame& frame, std::size_t origin) {
    const hessian::Dialect dialect =
        hessian::detect_dialect(frame.content[0]).value_or(hessian::Dialect::kSofa3);
    line(origin, "content",
         dialect == hessian::Dialect::kSofa3 ? "Hessian, SOFA 3.x" : "Hessian 2.0");
    hessian::Reader reader(frame.content, dialect);
    const Result<Value> first = hessian::decode<Value>(reader);
    if (!first) {
      bad(origin, fmt::format("in the content: {}", first.error().message()));
      return;
    }
    std::vector<std::string> signatures;
    const bool request =
        first->type() == Value::Type::kObject && first->type_name() == bolt::kRequestClass;
    if (first->type() == Value::Type::kObject) {
      out("    {}\n", shown(first->type_name()));
      for (std::size_t i = 0; i < first->size(); ++i) {
        out("      {} = {}\n", shown(first->field_name(i)), shown_json(first->field(i)));
      }
      for (const Value& signature : (*first)["methodArgSigs"].items()) {
        signatures.emplace_back(signature.as_string().value_or("?"));
      }
    } else {
      out("    {}\n", shown_json(*first));
    }
    if (!request && frame.class_name == bolt::kRequestClass) {
      bad(origin, "the content does not begin with a SofaRequest, as the frame's class says");
      return;
    }
    std::size_t count = 0;
    // Kept to the end, as later values may refer to earlier ones.
    std::vector<Value> values;
    while (!reader.at_end()) {
      const std::size_t at = origin + reader.offset();
      Result<Value> value = hessian::decode<Value>(reader);
      const std::string signature =
          count < signatures.size() ? signatures[count] : std::string("no signature");
      ++count;
      if (!value) {
        bad(origin, fmt::format("in the content, argument {} ({}): {}", count, signature,
                                value.error().message()));
        return;
      }
      line(at, fmt::format("argument {}", count),
           fmt::format("{}  {}", shown(signature), shown_json(*value)));
      values.push_back(*std::move(value));
    }
    if (request && count != signatures.size()) {
      bad(origin, fmt::format("methodArgSigs has {} types, but {} arguments follow",
                              signatures.size(), count));
    } else if (!request && count != 0) {
      bad(origin, fmt::format("{} more values behind the one of the answer", count));
    }
  }

  // The next offset at which a whole frame begins; the end, if there is none near.
  std::size_t skip_to_frame(Octets data, std::size_t at, std::size_t origin) {
    const std::size_t begin = at;
    const std::size_t end = std::min(data.size(), at + kSearched);
    for (; at < end; ++at) {
      const Octets rest = data.subspan(at);
      const std::size_t shift = rest[0] == 2 ? 1 : 0;
      if ((rest[0] != 1 && rest[0] != 2) || rest.size() < 20 || rest[4 + shift] != 1) continue;
      bolt::Frame frame;
      if (bolt::read_frame(rest, limits_, frame).kind == bolt::FrameStep::kFrame) break;
    }
    if (at == end) at = data.size();
    if (at != begin) {
      out("{} bytes from 0x{:x} on are skipped: {}\n\n", at - begin, origin + begin,
          at == data.size() ? "no frame is found in them" : "they are no frame");
    }
    return at;
  }

  const bool full_;
  bolt::FrameLimits limits_;
  std::size_t frames_ = 0;
  std::size_t bad_ = 0;
  std::string first_bad_;
};

struct CloseFile {
  void operator()(std::FILE* file) const noexcept {
    if (file != stdin) std::fclose(file);
  }
};

Result<std::vector<std::uint8_t>> read_file(const std::string& name) {
  const std::unique_ptr<std::FILE, CloseFile> file(name == "-" ? stdin
                                                               : std::fopen(name.c_str(), "rb"));
  if (!file) return Error(Code::kIo, fmt::format("{}: {}", name, std::strerror(errno)));
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> block(1 << 16);
  while (true) {
    const std::size_t count = std::fread(block.data(), 1, block.size(), file.get());
    if (count == 0) break;
    bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count));
    if (bytes.size() > kLargestFile) {
      return Error(Code::kLimit,
                   fmt::format("{}: longer than 1 GiB, which is the most that is read", name));
    }
  }
  if (std::ferror(file.get()) != 0) {
    return Error(Code::kIo, fmt::format("{}: {}", name, std::strerror(errno)));
  }
  return bytes;
}

std::string_view plural(std::size_t count) { return count == 1 ? "" : "s"; }

void print_stream(Decoder& decoder, const TcpStream& stream) {
  std::size_t size = 0;
  for (const StreamPiece& piece : stream.pieces) size += piece.bytes.size();
  decoder.note(fmt::format("stream {}: {} bytes in {} segment{}{}", stream.name, size,
                           stream.segments, plural(stream.segments),
                           stream.from_beginning ? "" : "; its beginning is not in the capture"));
  const std::uint8_t first = stream.pieces[0].bytes[0];
  if (stream.from_beginning && stream.pieces[0].missing == 0 && first != 1 && first != 2) {
    decoder.note(fmt::format("not Bolt: its first byte is 0x{:02x}\n", first));
    return;
  }
  bool search = !stream.from_beginning;
  for (const StreamPiece& piece : stream.pieces) {
    if (piece.missing != 0) {
      decoder.note(fmt::format("{} bytes before 0x{:x} are not in the capture\n", piece.missing,
                               piece.offset));
      search = true;
    }
    decoder.stream(piece.bytes, piece.offset, search);
  }
}

Result<void> print_capture(Decoder& decoder, Octets file, std::optional<std::uint16_t> port) {
  Result<Capture> capture = read_capture(file, port);
  if (!capture) return capture.error();
  decoder.note(fmt::format("{} packet{}, {} TCP stream{} with data", capture->packets,
                           plural(capture->packets), capture->streams.size(),
                           plural(capture->streams.size())));
  if (capture->cut != 0) {
    decoder.note(fmt::format("{} packet{} cut short when captured: use tcpdump -s 0", capture->cut,
                             capture->cut == 1 ? " was" : "s were"));
  }
  if (capture->fragments != 0) {
    decoder.note(fmt::format("{} IP fragments were left out", capture->fragments));
  }
  if (capture->truncated) decoder.note("the file ends within a packet");
  decoder.note("");
  for (const TcpStream& stream : capture->streams) print_stream(decoder, stream);
  return {};
}

Result<void> print(Decoder& decoder, const DecodeCommand& command) {
  std::vector<std::uint8_t> bytes;
  bool text = command.has_hex;
  if (command.has_hex) {
    bytes.assign(command.hex.begin(), command.hex.end());
  } else {
    Result<std::vector<std::uint8_t>> file = read_file(command.file);
    if (!file) return file.error();
    bytes = *std::move(file);
    if (looks_like_capture(bytes)) return print_capture(decoder, bytes, command.port);
    text = looks_like_text(bytes);
  }
  if (command.port) {
    return Error(Code::kInvalidArgument, "--port is for packet captures, and this is none");
  }
  if (text) {
    Result<std::vector<std::uint8_t>> parsed =
        parse_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!parsed) return parsed.error();
    bytes = *std::move(parsed);
  }
  if (bytes.empty()) return Error(Code::kInvalidArgument, "there are no bytes to decode");
  decoder.stream(bytes, 0, false);
  return {};
}

}  // namespace

int run(const DecodeCommand& command) {
  Decoder decoder(command.full);
  if (Result<void> printed = print(decoder, command); !printed) {
    std::fflush(stdout);
    complain(kName, printed.error().message());
    return kUsage;
  }
  std::fflush(stdout);
  if (decoder.bad_frames() != 0) {
    complain(kName, fmt::format("{} error{} in {} frame{}, the first {}", decoder.bad_frames(),
                                plural(decoder.bad_frames()), decoder.frames(),
                                plural(decoder.frames()), decoder.first_bad()));
    return kFailed;
  }
  if (decoder.frames() == 0) {
    complain(kName, "there is no Bolt frame in it");
    return kFailed;
  }
  return kOk;
}

}  // namespace settee::cli
