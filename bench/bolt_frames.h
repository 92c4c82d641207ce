// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bolt v1 frames with Hessian 3.x content for the raw client and the raw server, and of those only
// what one call needs: String echo(String) of com.settee.bench.Echo:1.0. Source of the formats:
// SOFARPC's wire, as settee/rpc/bolt and settee/hessian implement it whole.
#pragma once

#include <string>
#include <string_view>

#include "bench/common.h"

namespace bench::bolt {

constexpr std::string_view kRequestClass = "com.alipay.sofa.rpc.core.request.SofaRequest";
constexpr std::string_view kResponseClass = "com.alipay.sofa.rpc.core.response.SofaResponse";
constexpr std::string_view kService = "com.settee.bench.Echo:1.0";
constexpr std::string_view kMethod = "echo";
constexpr std::string_view kArgumentType = "java.lang.String";

constexpr std::size_t kRequestHead = 22;
constexpr std::size_t kResponseHead = 20;
constexpr std::size_t kIdOffset = 5;
constexpr char kHessian = 1;

inline void put(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

inline std::uint32_t get(const char* data, int bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(data[i]);
  return value;
}

/// A Hessian int in -16..47 (one byte) or up to 2047 (two).
inline void put_int(std::string& out, int value) {
  if (value < 48) {
    put(out, static_cast<std::uint32_t>(0x90 + value), 1);
  } else {
    put(out, static_cast<std::uint32_t>(0xc800 + value), 2);
  }
}

/// A Hessian string of ASCII characters, in chunks of 0x8000 as Java writes them.
inline void put_string(std::string& out, std::string_view text) {
  constexpr std::size_t kChunk = 0x8000;
  for (; text.size() > kChunk; text.remove_prefix(kChunk)) {
    out.push_back('s');
    put(out, kChunk, 2);
    out.append(text.substr(0, kChunk));
  }
  if (text.size() < 32) {
    out.push_back(static_cast<char>(text.size()));
  } else {
    out.push_back('S');
    put(out, static_cast<std::uint32_t>(text.size()), 2);
  }
  out.append(text);
}

/// A class definition and the start of its first instance; the field values follow.
template <class... Names>
void put_object(std::string& out, std::string_view class_name, Names... fields) {
  out.push_back('O');
  put_int(out, static_cast<int>(class_name.size()));
  out.append(class_name);
  put_int(out, sizeof...(fields));
  (put_string(out, fields), ...);
  out.push_back('o');
  put_int(out, 0);
}

/// The whole request frame with id 0; the id is patched in at kIdOffset.
inline std::string echo_request(std::string_view argument) {
  std::string header;
  put(header, 7, 4);
  header.append("service");
  put(header, kService.size(), 4);
  header.append(kService);

  std::string content;
  put_object(content, kRequestClass, "targetAppName", "methodName", "targetServiceUniqueName",
             "requestProps", "methodArgSigs");
  content.push_back('N');
  put_string(content, kMethod);
  put_string(content, kService);
  content.push_back('N');
  content.append("Vt");  // a list of type [string with its length in one byte, ended by z
  put(content, 7, 2);
  content.append("[stringn");
  put(content, 1, 1);
  put_string(content, kArgumentType);
  content.push_back('z');
  put_string(content, argument);

  std::string frame;
  put(frame, 0x01, 1);  // protocol: Bolt v1
  put(frame, 1, 1);     // a request that wants an answer
  put(frame, 1, 2);     // command: RPC request
  put(frame, 1, 1);     // version of the command
  put(frame, 0, 4);     // id
  put(frame, kHessian, 1);
  put(frame, 3000, 4);  // timeout in ms
  put(frame, kRequestClass.size(), 2);
  put(frame, static_cast<std::uint32_t>(header.size()), 2);
  put(frame, static_cast<std::uint32_t>(content.size()), 4);
  return frame.append(kRequestClass).append(header).append(content);
}

/// What precedes the encoded result in the content of a good answer; after it comes one 'N', the
/// null responseProps.
inline std::string response_content_prefix() {
  std::string content;
  put_object(content, kResponseClass, "isError", "errorMsg", "appResponse", "responseProps");
  content.append("FN");
  return content;
}

}  // namespace bench::bolt
