// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writer: Hessian values straight into a Buffer, one call per value. Most programs want encode() of
// codec.h, which drives it from a type's description.
//
//   Buffer out;
//   Writer writer(out);
//   writer.write_int(7);
//   ListEnd end = writer.begin_list("[int", 2);
//   writer.write_int(1);
//   writer.write_int(2);
//   writer.end_list(end);
//
// All values of one Writer form one stream: they share the numbering of class definitions, type names
// and references, as the arguments of one SOFARPC request do. Between calls the Buffer may be
// written by others as well.
//
// A constant head can be written once and copied from then on: WriterState remembers what the head
// has numbered, and a Writer that starts from it continues behind the copy.
//
//   Buffer head;
//   Writer first(head);
//   ...                                  // class definition, fields that never change
//   WriterState state = first.state();   // keep with the head's bytes
//   out.append(head_bytes);
//   Writer writer(out, state);           // `state` must live as long as `writer`
//
// Threads: a Writer belongs to one thread; a WriterState is constant and may be shared.
// Format: Hessian 2.0 and its SOFA 3.x draft, format.md in this folder.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/bytes.h"
#include "settee/base/type_info.h"
#include "settee/base/values.h"
#include "settee/hessian/detail/table.h"
#include "settee/hessian/dialect.h"

namespace settee::inline v0::hessian {

namespace detail {
struct Shape;
}

/// What begin_list() began, to be given to end_list().
enum class [[nodiscard]] ListEnd : std::uint8_t{kNone, kMark};

/// What a stream has numbered up to some point.
class WriterState {
 public:
  Dialect dialect() const noexcept { return dialect_; }

 private:
  friend class Writer;
  struct Class {
    std::uint32_t number;
    const TypeInfo* type;
  };
  Dialect dialect_ = Dialect::kSofa3;
  std::uint32_t classes_ = 0;
  std::uint32_t references_ = 0;
  std::vector<std::string> types_;
  std::vector<Class> described_;
};

class SETTEE_API Writer {
 public:
  /// Values nested deeper than this are refused; a reader with default Limits would refuse them too.
  static constexpr std::uint32_t kDefaultDepth = 256;

  explicit Writer(Buffer& out, Dialect dialect = Dialect::kSofa3) noexcept;
  /// Continues a stream whose beginning has been put into `out` already.
  Writer(Buffer& out, const WriterState& before) noexcept;
  Writer(Buffer& out, const WriterState&& before) = delete;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  Dialect dialect() const noexcept { return dialect_; }
  Buffer& buffer() noexcept { return out_; }
  /// What has been numbered so far. Classes defined for generic values are counted, not remembered.
  WriterState state() const;

  void write_null();
  void write_bool(bool value);
  void write_int(std::int32_t value);
  void write_long(std::int64_t value);
  void write_double(double value);
  void write_date(Date value);
  /// UTF-8. What is not well-formed UTF-8 is written as U+FFFD.
  void write_string(std::string_view text);
  /// One UTF-16 unit as a string of length 1; a lone surrogate is written as it is.
  void write_char(char16_t unit);
  void write_bytes(std::span<const std::uint8_t> bytes);

  /// A list of `count` values, which must follow. `type` is a Java collection class or an array
  /// tag like "[int" or "[com.acme.Quote"; empty for an ArrayList. Takes a reference number.
  ListEnd begin_list(std::string_view type, std::size_t count);
  void end_list(ListEnd end);

  /// A map: keys and values follow in turn. `type` is empty for a HashMap. Takes a reference number.
  void begin_map(std::string_view type = {});
  void end_map();

  /// Writes a class definition; returns its number. Must stand where a value may stand.
  std::uint32_t define_class(std::string_view name, std::span<const std::string_view> fields);
  /// The same for a described struct, unless the stream has it already.
  std::uint32_t define_class(const TypeInfo& type);
  /// An object: the values of its class's fields follow in order. Takes a reference number.
  void begin_object(std::uint32_t class_number);

  /// The number the next list, map or object will take.
  std::uint32_t next_reference() const noexcept { return references_; }
  /// Names an earlier list, map or object by its number.
  void write_reference(std::uint32_t number);

  /// encode() writes an object that is reachable twice within one value as a reference. With this the
  /// same holds across all values encoded from now on; the caller promises that they stay alive and
  /// where they are until the Writer is done.
  void keep_identities() noexcept { keep_identities_ = true; }
  void set_depth_limit(std::uint32_t limit) noexcept { depth_limit_ = limit; }

 private:
  friend class Encoder;

  // Identity of an object that may be met again. `type` keeps apart an object and its first member.
  struct Identity {
    const void* address;
    const void* type;
    std::uint32_t reference;
  };
  struct Class {
    const TypeInfo* type;        // of a described struct, else null
    const detail::Shape* shape;  // of generic values, owned, else null
    std::uint32_t number;
  };
  struct TypeName {
    std::uint32_t offset;
    std::uint32_t size;
  };
  struct Index;  // hash tables, made when the tables have become long

  static constexpr std::uint32_t kNone = 0xffffffff;

  void write_text(std::string_view text);
  void write_text_head(std::size_t units, bool final);
  void write_units(std::string_view text, bool plain);
  std::uint32_t write_class_head(std::string_view name, std::size_t fields);
  void write_type(std::string_view type);
  std::uint32_t type_number(std::string_view type);  // kNone: it is new, and noted
  Index& index();
  std::uint32_t find_class(const TypeInfo& type) const noexcept;
  std::uint32_t class_of(const detail::Shape& shape);  // writes the definition if it is new
  std::uint32_t find_identity(const void* address, const void* type) const noexcept;
  void note_identity(const void* address, const void* type, std::uint32_t reference);
  void forget_identities() noexcept;

  Buffer& out_;
  Dialect dialect_;
  bool keep_identities_ = false;
  std::uint32_t depth_limit_ = kDefaultDepth;
  const WriterState* before_ = nullptr;
  std::uint32_t classes_ = 0;
  std::uint32_t references_ = 0;
  detail::Table<Class, 8> known_classes_;
  detail::Table<TypeName, 8> types_;
  detail::Table<char, 192> type_text_;
  detail::Table<Identity, 8> identities_;
  std::unique_ptr<Index> index_;
};

}  // namespace settee::inline v0::hessian
