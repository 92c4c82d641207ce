// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/writer.h"

#include <algorithm>
#include <unordered_map>

#include "settee/hessian/internal/put.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

using detail::kChunk;
using detail::store_big;

// The tables are searched from the front, which is fastest for the few entries of a usual message.
// Long ones are searched through these.
struct Writer::Index {
  static constexpr std::uint32_t kFrom = 16;

  struct Object {
    const void* address;
    const void* type;
    bool operator==(const Object&) const = default;
  };
  struct ObjectHash {
    std::size_t operator()(const Object& object) const noexcept {
      return std::hash<const void*>()(object.address) ^ std::hash<const void*>()(object.type) * 31;
    }
  };

  std::unordered_map<std::string, std::uint32_t> types;
  std::unordered_map<const detail::Shape*, std::uint32_t> shapes;
  std::unordered_multimap<std::size_t, std::uint32_t> shape_hashes;  // to places in known_classes_
  std::unordered_map<Object, std::uint32_t, ObjectHash> objects;
};

Writer::Writer(Buffer& out, Dialect dialect) noexcept : out_(out), dialect_(dialect) {}

Writer::Writer(Buffer& out, const WriterState& before) noexcept
    : out_(out),
      dialect_(before.dialect_),
      before_(&before),
      classes_(before.classes_),
      references_(before.references_) {}

Writer::~Writer() {
  for (const Class& known : known_classes_) {
    if (known.shape != nullptr) detail::release(known.shape);
  }
}

WriterState Writer::state() const {
  WriterState state;
  if (before_ != nullptr) state = *before_;
  state.dialect_ = dialect_;
  state.classes_ = classes_;
  state.references_ = references_;
  for (const TypeName& name : types_) {
    state.types_.emplace_back(type_text_.begin() + name.offset, name.size);
  }
  for (const Class& known : known_classes_) {
    if (known.type != nullptr) state.described_.push_back({known.number, known.type});
  }
  return state;
}

Writer::Index& Writer::index() {
  if (index_ == nullptr) index_ = std::make_unique<Index>();
  return *index_;
}

void Writer::write_null() { detail::put_byte(out_, 'N'); }

void Writer::write_bool(bool value) { detail::put_byte(out_, value ? 'T' : 'F'); }

void Writer::write_int(std::int32_t value) { detail::put_int(out_, value); }

void Writer::write_long(std::int64_t value) { detail::put_long(out_, value, dialect_); }

void Writer::write_double(double value) { detail::put_double(out_, value, dialect_); }

void Writer::write_date(Date value) {
  detail::put_date(out_, value.time_since_epoch().count(), dialect_);
}

void Writer::write_string(std::string_view text) {
  if (!detail::put_short_text(out_, text)) write_text(text);
}

void Writer::write_char(char16_t unit) {
  std::uint8_t* at = out_.prepare(4);
  at[0] = 1;
  std::size_t n = 1;
  if (unit < 0x80) {
    at[n++] = static_cast<std::uint8_t>(unit);
  } else if (unit < 0x800) {
    at[n++] = static_cast<std::uint8_t>(0xc0 | unit >> 6);
    at[n++] = static_cast<std::uint8_t>(0x80 | (unit & 0x3f));
  } else {
    at[n++] = static_cast<std::uint8_t>(0xe0 | unit >> 12);
    at[n++] = static_cast<std::uint8_t>(0x80 | (unit >> 6 & 0x3f));
    at[n++] = static_cast<std::uint8_t>(0x80 | (unit & 0x3f));
  }
  out_.commit(n);
}

void Writer::write_text_head(std::size_t units, bool final) {
  std::uint8_t* at = out_.prepare(3);
  if (final && units <= 31) {
    at[0] = static_cast<std::uint8_t>(units);
    out_.commit(1);
    return;
  }
  if (final && units <= 1023 && dialect_ == Dialect::kHessian2) {
    store_big(at, static_cast<std::uint16_t>(0x3000 + units));
    out_.commit(2);
    return;
  }
  at[0] = final ? 'S' : dialect_ == Dialect::kSofa3 ? 's' : 'R';
  store_big(at + 1, static_cast<std::uint16_t>(units));
  out_.commit(3);
}

void Writer::write_units(std::string_view text, bool plain) {
  if (plain) {
    out_.append(text);
    return;
  }
  constexpr std::size_t kRoom = 1024;
  const char* from = text.data();
  const char* end = from + text.size();
  while (from != end) {
    std::uint8_t* at = out_.prepare(kRoom);
    out_.commit(static_cast<std::size_t>(detail::to_wire(from, end, at, at + kRoom) - at));
  }
}

void Writer::write_text(std::string_view text) {
  const bool ascii = detail::is_ascii(text.data(), text.size());
  const detail::TextMeasure measure =
      ascii ? detail::TextMeasure{text.size(), true} : detail::measure_utf8(text);

  const char* from = text.data();
  const char* end = from + text.size();
  std::size_t left = measure.units;
  while (left > kChunk) {
    // A character of two units is not torn apart: then the piece is one unit shorter.
    std::size_t rest = kChunk;
    const char* to = from + kChunk;
    if (ascii) {
      rest = 0;
    } else {
      to = detail::skip_units(from, end, rest);
    }
    write_text_head(kChunk - rest, false);
    write_units({from, static_cast<std::size_t>(to - from)}, measure.plain);
    left -= kChunk - rest;
    from = to;
  }
  write_text_head(left, true);
  write_units({from, static_cast<std::size_t>(end - from)}, measure.plain);
}

void Writer::write_bytes(std::span<const std::uint8_t> bytes) {
  while (bytes.size() > kChunk) {
    std::uint8_t* at = out_.prepare(3);
    at[0] = dialect_ == Dialect::kSofa3 ? 'b' : 'A';
    store_big(at + 1, static_cast<std::uint16_t>(kChunk));
    out_.commit(3);
    out_.append(bytes.data(), kChunk);
    bytes = bytes.subspan(kChunk);
  }
  std::uint8_t* at = out_.prepare(3);
  if (bytes.size() <= 15) {
    at[0] = static_cast<std::uint8_t>(0x20 + bytes.size());
    out_.commit(1);
  } else if (bytes.size() <= 1023 && dialect_ == Dialect::kHessian2) {
    store_big(at, static_cast<std::uint16_t>(0x3400 + bytes.size()));
    out_.commit(2);
  } else {
    at[0] = 'B';
    store_big(at + 1, static_cast<std::uint16_t>(bytes.size()));
    out_.commit(3);
  }
  out_.append(bytes.data(), bytes.size());
}

std::uint32_t Writer::type_number(std::string_view type) {
  std::uint32_t number = 0;
  if (before_ != nullptr) {
    for (const std::string& known : before_->types_) {
      if (known == type) return number;
      ++number;
    }
  }
  if (types_.size() < Index::kFrom) {
    for (const TypeName& known : types_) {
      if (std::string_view(&type_text_[known.offset], known.size) == type) return number;
      ++number;
    }
  } else {
    auto& types = index().types;
    if (types.empty()) {
      for (const TypeName& known : types_) {
        types.emplace(std::string(&type_text_[known.offset], known.size), number++);
      }
    } else {
      number += types_.size();
    }
    const auto [at, fresh] = types.emplace(type, number);
    if (!fresh) return at->second;
  }
  types_.push_back({type_text_.size(), static_cast<std::uint32_t>(type.size())});
  type_text_.append(type.data(), static_cast<std::uint32_t>(type.size()));
  return kNone;
}

// A type name that is written for the first time.
void Writer::write_type(std::string_view type) {
  if (dialect_ == Dialect::kHessian2) {
    write_string(type);
    return;
  }
  const detail::TextMeasure measure = detail::measure(type);
  std::uint8_t* at = out_.prepare(3);
  at[0] = 't';
  store_big(at + 1, static_cast<std::uint16_t>(measure.units));
  out_.commit(3);
  write_units(type, measure.plain);
}

ListEnd Writer::begin_list(std::string_view type, std::size_t count) {
  ++references_;
  const std::uint32_t number = type.empty() ? kNone : type_number(type);
  const auto size = static_cast<std::int32_t>(count);
  if (dialect_ == Dialect::kHessian2) {
    const bool brief = count <= 7;
    std::uint8_t* at = out_.prepare(6);
    std::uint8_t* start = at;
    if (brief) {
      *at++ = static_cast<std::uint8_t>((type.empty() ? 0x78 : 0x70) + count);
    } else {
      *at++ = type.empty() ? 'X' : 'V';
      if (type.empty()) at = detail::put_int_at(at, size);
    }
    out_.commit(static_cast<std::size_t>(at - start));
    if (!type.empty()) {
      if (number == kNone) {
        write_type(type);
      } else {
        write_int(static_cast<std::int32_t>(number));
      }
      if (!brief) write_int(size);
    }
    return ListEnd::kNone;
  }
  if (number != kNone) {
    std::uint8_t* at = out_.prepare(11);
    at[0] = 'v';
    std::uint8_t* end = detail::put_int_at(at + 1, static_cast<std::int32_t>(number));
    end = detail::put_int_at(end, size);
    out_.commit(static_cast<std::size_t>(end - at));
    return ListEnd::kNone;
  }
  detail::put_byte(out_, 'V');
  if (!type.empty()) write_type(type);
  std::uint8_t* at = out_.prepare(5);
  if (count <= 255) {
    at[0] = 'n';
    at[1] = static_cast<std::uint8_t>(count);
    out_.commit(2);
  } else {
    at[0] = 'l';
    store_big(at + 1, static_cast<std::uint32_t>(size));
    out_.commit(5);
  }
  return ListEnd::kMark;
}

void Writer::end_list(ListEnd end) {
  // Only lists of the 3.x dialect that begin with V end with a mark.
  if (end == ListEnd::kMark) detail::put_byte(out_, 'z');
}

void Writer::begin_map(std::string_view type) {
  ++references_;
  const bool sofa3 = dialect_ == Dialect::kSofa3;
  detail::put_byte(out_, sofa3 || !type.empty() ? 'M' : 'H');
  if (type.empty()) return;
  if (const std::uint32_t number = type_number(type); number == kNone) {
    write_type(type);
  } else {
    if (sofa3) detail::put_byte(out_, 'u');
    write_int(static_cast<std::int32_t>(number));
  }
}

void Writer::end_map() { detail::put_byte(out_, dialect_ == Dialect::kSofa3 ? 'z' : 'Z'); }

std::uint32_t Writer::write_class_head(std::string_view name, std::size_t fields) {
  if (dialect_ == Dialect::kSofa3) {
    const detail::TextMeasure measure = detail::measure(name);
    std::uint8_t* at = out_.prepare(6);
    at[0] = 'O';
    std::uint8_t* end = detail::put_int_at(at + 1, static_cast<std::int32_t>(measure.units));
    out_.commit(static_cast<std::size_t>(end - at));
    write_units(name, measure.plain);
  } else {
    detail::put_byte(out_, 'C');
    write_string(name);
  }
  write_int(static_cast<std::int32_t>(fields));
  return classes_++;
}

std::uint32_t Writer::define_class(std::string_view name,
                                   std::span<const std::string_view> fields) {
  const std::uint32_t number = write_class_head(name, fields.size());
  for (const std::string_view field : fields) write_string(field);
  return number;
}

std::uint32_t Writer::find_class(const TypeInfo& type) const noexcept {
  if (before_ != nullptr) {
    for (const WriterState::Class& known : before_->described_) {
      if (known.type == &type) return known.number;
    }
  }
  for (const Class& known : known_classes_) {
    if (known.type == &type) return known.number;
  }
  return kNone;
}

std::uint32_t Writer::define_class(const TypeInfo& type) {
  if (const std::uint32_t known = find_class(type); known != kNone) return known;
  const std::uint32_t number = write_class_head(type.name, type.members.size());
  for (const MemberInfo& member : type.members) {
    if (!detail::put_short_text(out_, member.name)) write_text(member.name);
  }
  known_classes_.push_back({&type, nullptr, number});
  return number;
}

std::uint32_t Writer::class_of(const detail::Shape& shape) {
  const bool indexed = known_classes_.size() >= Index::kFrom;
  if (!indexed) {
    for (const Class& known : known_classes_) {
      if (known.shape == &shape) return known.number;
    }
    for (const Class& known : known_classes_) {
      if (known.shape != nullptr && known.shape->same(shape)) return known.number;
    }
  } else {
    Index& tables = index();
    if (tables.shapes.empty() && tables.shape_hashes.empty()) {
      for (std::uint32_t i = 0; i < known_classes_.size(); ++i) {
        if (const detail::Shape* known = known_classes_[i].shape; known != nullptr) {
          tables.shapes.emplace(known, known_classes_[i].number);
          tables.shape_hashes.emplace(known->hash(), i);
        }
      }
    }
    if (const auto at = tables.shapes.find(&shape); at != tables.shapes.end()) return at->second;
    auto [at, end] = tables.shape_hashes.equal_range(shape.hash());
    for (; at != end; ++at) {
      if (known_classes_[at->second].shape->same(shape)) return known_classes_[at->second].number;
    }
  }
  const std::uint32_t number = write_class_head(shape.name, shape.fields.size());
  for (const std::string& field : shape.fields) write_string(field);
  if (indexed) {
    index().shapes.emplace(&shape, number);
    index().shape_hashes.emplace(shape.hash(), known_classes_.size());
  }
  // Owned, so that its address means the same as long as it is in the table.
  detail::retain(&shape);
  known_classes_.push_back({nullptr, &shape, number});
  return number;
}

void Writer::begin_object(std::uint32_t class_number) {
  ++references_;
  if (dialect_ == Dialect::kHessian2 && class_number < 16) {
    detail::put_byte(out_, static_cast<std::uint8_t>(0x60 + class_number));
    return;
  }
  std::uint8_t* at = out_.prepare(6);
  at[0] = dialect_ == Dialect::kSofa3 ? 'o' : 'O';
  std::uint8_t* end = detail::put_int_at(at + 1, static_cast<std::int32_t>(class_number));
  out_.commit(static_cast<std::size_t>(end - at));
}

void Writer::write_reference(std::uint32_t number) {
  std::uint8_t* at = out_.prepare(6);
  std::uint8_t* end = at;
  if (dialect_ == Dialect::kHessian2) {
    at[0] = 'Q';
    end = detail::put_int_at(at + 1, static_cast<std::int32_t>(number));
  } else if (number <= 0xff) {
    at[0] = 'J';
    at[1] = static_cast<std::uint8_t>(number);
    end = at + 2;
  } else if (number <= 0xffff) {
    at[0] = 'K';
    store_big(at + 1, static_cast<std::uint16_t>(number));
    end = at + 3;
  } else {
    at[0] = 'R';
    store_big(at + 1, number);
    end = at + 5;
  }
  out_.commit(static_cast<std::size_t>(end - at));
}

std::uint32_t Writer::find_identity(const void* address, const void* type) const noexcept {
  if (identities_.size() >= Index::kFrom) {
    const auto at = index_->objects.find({address, type});
    return at == index_->objects.end() ? kNone : at->second;
  }
  for (const Identity& known : identities_) {
    if (known.address == address && known.type == type) return known.reference;
  }
  return kNone;
}

void Writer::note_identity(const void* address, const void* type, std::uint32_t reference) {
  identities_.push_back({address, type, reference});
  if (identities_.size() < Index::kFrom) return;
  auto& objects = index().objects;
  if (identities_.size() == Index::kFrom) {
    for (const Identity& known : identities_) {
      objects.emplace(Index::Object{known.address, known.type}, known.reference);
    }
  } else {
    objects.emplace(Index::Object{address, type}, reference);
  }
}

void Writer::forget_identities() noexcept {
  if (keep_identities_ || identities_.empty()) return;
  identities_.shrink(0);
  if (index_ != nullptr) index_->objects.clear();
}

}  // namespace settee::inline v0::hessian
