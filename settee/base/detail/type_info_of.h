// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How the TypeInfo of each C++ type is made. Included by type_info.h.

#pragma once

#include <array>

#include "settee/base/type_info.h"

namespace settee::inline v0 {
namespace detail {

template <class T>
struct TypeInfoOf {
  static const TypeInfo info;
};

template <class T>
constexpr const TypeInfo* info_of() noexcept {
  return &TypeInfoOf<T>::info;
}

template <class T>
constexpr void set_lifetime(TypeInfo& info) {
  info.size = sizeof(T);
  info.construct = [](void* at) { new (at) T(); };
  info.destroy = [](void* at) noexcept { static_cast<T*>(at)->~T(); };
}

template <class T>
constexpr TypeInfo scalar_info(Kind kind) {
  TypeInfo info;
  info.kind = kind;
  set_lifetime<T>(info);
  return info;
}

// Each MakeTypeInfo<T> has `static constexpr TypeInfo make()`.
template <class T, class = void>
struct MakeTypeInfo {
  static_assert(!std::is_unsigned_v<T> || std::is_same_v<T, bool>,
                "Java has no unsigned integers: use a wider signed one");
  static_assert(!std::is_pointer_v<T> && !std::is_reference_v<T>,
                "described values are owned: no pointers, references or views");
  static_assert(sizeof(T) == 0,
                "this type has no description: put SETTEE_STRUCT, SETTEE_ENUM or SETTEE_EXCEPTION "
                "behind it, or use a type of the table in settee/base/type_info.h");
};

#define SETTEE_DETAIL_SCALAR(Type, kind_name)                                                  \
  template <>                                                                                  \
  struct MakeTypeInfo<Type> {                                                                  \
    static constexpr TypeInfo make() { return scalar_info<Type>(Kind::kind_name); }            \
  };
SETTEE_DETAIL_SCALAR(bool, kBool)
SETTEE_DETAIL_SCALAR(std::int8_t, kInt8)
SETTEE_DETAIL_SCALAR(std::int16_t, kInt16)
SETTEE_DETAIL_SCALAR(std::int32_t, kInt32)
SETTEE_DETAIL_SCALAR(long, kInt64)
SETTEE_DETAIL_SCALAR(long long, kInt64)
SETTEE_DETAIL_SCALAR(char16_t, kChar16)
SETTEE_DETAIL_SCALAR(float, kFloat)
SETTEE_DETAIL_SCALAR(double, kDouble)
SETTEE_DETAIL_SCALAR(std::string, kString)
SETTEE_DETAIL_SCALAR(Bytes, kBytes)
SETTEE_DETAIL_SCALAR(Date, kDate)
SETTEE_DETAIL_SCALAR(std::chrono::milliseconds, kDuration)
SETTEE_DETAIL_SCALAR(Decimal, kDecimal)
SETTEE_DETAIL_SCALAR(BigInteger, kBigInteger)
#undef SETTEE_DETAIL_SCALAR

template <>
struct MakeTypeInfo<void> {
  static constexpr TypeInfo make() { return {}; }
};

template <class T>
constexpr void set_nullable(TypeInfo& info, Kind kind) {
  info.kind = kind;
  set_lifetime<T>(info);
  info.get = [](const void* at) noexcept -> const void* {
    const T& value = *static_cast<const T*>(at);
    return value ? std::addressof(*value) : nullptr;
  };
  info.reset = [](void* at) noexcept { static_cast<T*>(at)->reset(); };
}

template <class T>
struct MakeTypeInfo<std::optional<T>> {
  static constexpr TypeInfo make() {
    TypeInfo info;
    set_nullable<std::optional<T>>(info, Kind::kOptional);
    info.element = &TypeInfoOf<T>::info;
    info.emplace = [](void* at) -> void* {
      return std::addressof(static_cast<std::optional<T>*>(at)->emplace());
    };
    return info;
  }
};

template <class Pointer, class T>
constexpr TypeInfo pointer_info() {
  TypeInfo info;
  set_nullable<Pointer>(info, Kind::kPointer);
  info.element = &TypeInfoOf<T>::info;
  info.emplace = [](void* at) -> void* {
    auto& pointer = *static_cast<Pointer*>(at);
    if constexpr (std::is_same_v<Pointer, std::unique_ptr<T>>) {
      pointer = std::make_unique<T>();
    } else {
      pointer = std::make_shared<T>();
    }
    return pointer.get();
  };
  return info;
}
template <class T>
struct MakeTypeInfo<std::unique_ptr<T>> {
  static constexpr TypeInfo make() { return pointer_info<std::unique_ptr<T>, T>(); }
};
template <class T>
struct MakeTypeInfo<std::shared_ptr<T>> {
  static constexpr TypeInfo make() { return pointer_info<std::shared_ptr<T>, T>(); }
};

template <class C>
constexpr void set_container(TypeInfo& info, Kind kind) {
  info.kind = kind;
  set_lifetime<C>(info);
  info.count = [](const void* at) noexcept { return static_cast<const C*>(at)->size(); };
  info.clear = [](void* at) noexcept { static_cast<C*>(at)->clear(); };
}

template <class C>
constexpr TypeInfo sequence_info(Kind kind) {
  TypeInfo info;
  set_container<C>(info, kind);
  info.element = &TypeInfoOf<typename C::value_type>::info;
  if constexpr (requires(C& c) { c.reserve(1); }) {
    info.reserve = [](void* at, std::size_t n) { static_cast<C*>(at)->reserve(n); };
  } else {
    info.reserve = [](void*, std::size_t) {};
  }
  info.at = [](const void* at, std::size_t i) noexcept -> const void* {
    return std::addressof((*static_cast<const C*>(at))[i]);
  };
  info.append = [](void* at) -> void* {
    return std::addressof(static_cast<C*>(at)->emplace_back());
  };
  return info;
}
template <class T>
struct MakeTypeInfo<std::vector<T>> {
  static_assert(!std::is_same_v<T, bool>,
                "std::vector<bool> has no addressable elements: use Array<bool>");
  static constexpr TypeInfo make() { return sequence_info<std::vector<T>>(Kind::kList); }
};
template <class T>
struct MakeTypeInfo<Array<T>> {
  static_assert(!std::is_same_v<T, std::int8_t>, "byte[] is settee::Bytes");
  static constexpr TypeInfo make() { return sequence_info<Array<T>>(Kind::kArray); }
};

template <class C>
constexpr TypeInfo set_info() {
  using T = typename C::value_type;
  TypeInfo info;
  set_container<C>(info, Kind::kSet);
  info.element = &TypeInfoOf<T>::info;
  info.for_each = [](const void* at, ElementVisitor& visitor) {
    for (const T& value : *static_cast<const C*>(at)) {
      if (!visitor.visit(nullptr, std::addressof(value))) return;
    }
  };
  info.insert = [](void* at, ElementFiller& filler) -> Result<void> {
    T value{};
    if (Result<void> filled = filler.fill_value(std::addressof(value)); !filled) return filled;
    static_cast<C*>(at)->insert(std::move(value));
    return {};
  };
  return info;
}
template <class T, class L>
struct MakeTypeInfo<std::set<T, L>> {
  static constexpr TypeInfo make() { return set_info<std::set<T, L>>(); }
};
template <class T, class H, class E>
struct MakeTypeInfo<std::unordered_set<T, H, E>> {
  static constexpr TypeInfo make() { return set_info<std::unordered_set<T, H, E>>(); }
};

template <class C>
constexpr TypeInfo map_info() {
  TypeInfo info;
  set_container<C>(info, Kind::kMap);
  info.key = &TypeInfoOf<typename C::key_type>::info;
  info.element = &TypeInfoOf<typename C::mapped_type>::info;
  info.for_each = [](const void* at, ElementVisitor& visitor) {
    for (const auto& [key, value] : *static_cast<const C*>(at)) {
      if (!visitor.visit(std::addressof(key), std::addressof(value))) return;
    }
  };
  info.insert = [](void* at, ElementFiller& filler) -> Result<void> {
    typename C::key_type key{};
    if (Result<void> filled = filler.fill_key(std::addressof(key)); !filled) return filled;
    // As in Java, the last of equal keys wins.
    auto& value = (*static_cast<C*>(at))[std::move(key)];
    value = typename C::mapped_type{};
    return filler.fill_value(std::addressof(value));
  };
  return info;
}
template <class K, class V, class L>
struct MakeTypeInfo<std::map<K, V, L>> {
  static constexpr TypeInfo make() { return map_info<std::map<K, V, L>>(); }
};
template <class K, class V, class H, class E>
struct MakeTypeInfo<std::unordered_map<K, V, H, E>> {
  static constexpr TypeInfo make() { return map_info<std::unordered_map<K, V, H, E>>(); }
};

template <class... T>
struct MakeTypeInfo<std::variant<T...>> {
  using V = std::variant<T...>;
  static constexpr const TypeInfo* kAlternatives[] = {&TypeInfoOf<T>::info...};

  template <std::size_t... I>
  static void* emplace(V& value, std::size_t index, std::index_sequence<I...>) {
    void* made = nullptr;
    static_cast<void>(
        ((I == index && (made = std::addressof(value.template emplace<I>())) != nullptr) || ...));
    return made;
  }
  static constexpr TypeInfo make() {
    TypeInfo info;
    info.kind = Kind::kVariant;
    set_lifetime<V>(info);
    info.alternatives = kAlternatives;
    info.index = [](const void* at) noexcept { return static_cast<const V*>(at)->index(); };
    info.alternative = [](const void* at) noexcept -> const void* {
      return std::visit([](const auto& x) -> const void* { return std::addressof(x); },
                        *static_cast<const V*>(at));
    };
    info.emplace_alternative = [](void* at, std::size_t index) {
      return emplace(*static_cast<V*>(at), index, std::index_sequence_for<T...>());
    };
    return info;
  }
};

// Field numbers of protobuf. They are looked at while compiling: what refuses them is no constant
// expression, and the compiler's message shows the type, the member and the number.
[[noreturn]] SETTEE_API void refuse_field_number(std::string_view member, std::int64_t number,
                                                 std::string_view why);

constexpr std::uint32_t field_number(std::string_view member, std::int64_t number) {
  if (number < 1 || number > 536'870'911) {
    refuse_field_number(member, number, "protobuf has field numbers from 1 to 536870911");
  }
  if (number >= 19'000 && number <= 19'999) {
    refuse_field_number(member, number, "protobuf keeps 19000 to 19999 for itself");
  }
  return static_cast<std::uint32_t>(number);
}

// Members without a number get their position. Returns whether all numbers are positions.
constexpr bool number_members(std::span<MemberInfo> members) {
  bool positions = true;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].number == 0) members[i].number = static_cast<std::uint32_t>(i + 1);
    positions = positions && members[i].number == i + 1;
  }
  return positions;
}

// The first member with the number of one in front of it; without a number if there is none.
constexpr MemberInfo second_of_a_number(std::span<const MemberInfo> members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (members[i].number == members[j].number) return members[i];
    }
  }
  return {};
}
// Shows them in the compiler's message.
struct MemberText {
  char text[48] = {};
  constexpr explicit MemberText(std::string_view name) {
    for (std::size_t i = 0; i < name.size() && i + 1 < sizeof text; ++i) text[i] = name[i];
  }
};
template <MemberText Member, std::uint32_t Number>
struct NumberOfOne {
  static_assert(Number == 0, "this member has the field number of a member in front of it");
  static constexpr bool value = true;
};

template <std::size_t N>
constexpr std::array<std::uint8_t, N> sorted_by_number(const std::array<MemberInfo, N>& members) {
  std::array<std::uint8_t, N> order{};
  for (std::size_t i = 0; i < N; ++i) {
    std::size_t at = i;
    for (; at > 0 && members[order[at - 1]].number > members[i].number; --at) {
      order[at] = order[at - 1];
    }
    order[at] = static_cast<std::uint8_t>(i);
  }
  return order;
}

// Described structs, exceptions and enums.
template <class T>
struct MembersOf {
  static constexpr auto make() {
    auto made = Describe<T>::members();
    made.positions = number_members({made.items.data(), made.span().size()});
    return made;
  }
  static constexpr auto table = make();
  static_assert(table.span().size() <= 250, "a type has at most 250 members, those of bases too");
  static constexpr MemberInfo second =
      table.positions ? MemberInfo() : second_of_a_number(table.span());
  static_assert(NumberOfOne<MemberText(second.name), second.number>::value);
  static constexpr auto by_number = sorted_by_number(table.items);
};
template <class T>
struct LimitsOf {
  static constexpr auto table = Limits<T>::make();
};
template <class T>
struct MakeTypeInfo<T, std::enable_if_t<Describe<T>::kIsStruct>> {
  static constexpr TypeInfo make() {
    TypeInfo info;
    info.kind = Kind::kStruct;
    info.exception = Describe<T>::kIsException;
    info.name = Describe<T>::kName;
    info.members = MembersOf<T>::table.span();
    info.limits = LimitsOf<T>::table;
    if constexpr (!MembersOf<T>::table.positions) info.by_number = MembersOf<T>::by_number;
    set_lifetime<T>(info);
    return info;
  }
};
template <class T>
struct MakeTypeInfo<T, std::enable_if_t<Describe<T>::kIsEnum>> {
  static constexpr TypeInfo make() {
    TypeInfo info;
    info.kind = Kind::kEnum;
    info.name = Describe<T>::kName;
    info.enumerators = Describe<T>::kEnumerators;
    set_lifetime<T>(info);
    info.enum_get = [](const void* at) noexcept {
      return static_cast<std::int64_t>(*static_cast<const T*>(at));
    };
    info.enum_set = [](void* at, std::int64_t value) noexcept {
      *static_cast<T*>(at) = static_cast<T>(value);
    };
    return info;
  }
};

// Protobuf messages, recognised by their interface so that no protobuf header is needed here.
template <class T>
concept Message = requires(const T& in, T& out, void* to, const void* from, int n) {
  { in.ByteSizeLong() } -> std::convertible_to<std::size_t>;
  { in.SerializeToArray(to, n) } -> std::convertible_to<bool>;
  { out.ParseFromArray(from, n) } -> std::convertible_to<bool>;
};

template <class File, class FileProto>
void copy_file(const File& file, void (File::*copy)(FileProto*) const, void* to) {
  (file.*copy)(static_cast<FileProto*>(to));
}

// A file's own form is a message of protobuf's, of which the header of T knows only that there is one:
// it is made by its name. A pointer to a whole object is one to its type, whatever the bases.
template <class Message, class File>
void add_files(MessageSchema& schema, const Message& any, const File& file) {
  const std::string name(file.name());
  for (const auto& [known, bytes] : schema.files) {
    if (known == name) return;
  }
  for (int i = 0; i < file.dependency_count(); ++i) add_files(schema, any, *file.dependency(i));
  using Pool = std::remove_cvref_t<decltype(*file.pool())>;
  const auto* const type =
      Pool::generated_pool()->FindMessageTypeByName("google.protobuf.FileDescriptorProto");
  if (type == nullptr) return;
  const auto* const prototype = any.GetReflection()->GetMessageFactory()->GetPrototype(type);
  const std::unique_ptr<std::remove_pointer_t<decltype(prototype->New())>> proto(prototype->New());
  copy_file(file, &File::CopyTo, dynamic_cast<void*>(proto.get()));
  schema.files.emplace_back(name, proto->SerializeAsString());
}

template <class T>
MessageSchema message_schema() {
  MessageSchema schema;
  schema.full_name = T::descriptor()->full_name();
  add_files(schema, T::default_instance(), *T::descriptor()->file());
  return schema;
}

template <class T>
struct MakeTypeInfo<T, std::enable_if_t<Message<T>>> {
  static constexpr TypeInfo make() {
    TypeInfo info;
    info.kind = Kind::kMessage;
    set_lifetime<T>(info);
    info.message_size = [](const void* at) { return static_cast<const T*>(at)->ByteSizeLong(); };
    info.message_write = [](const void* at, void* out, std::size_t size) {
      return static_cast<const T*>(at)->SerializeToArray(out, static_cast<int>(size));
    };
    info.message_read = [](void* at, const void* data, std::size_t size) {
      return static_cast<T*>(at)->ParseFromArray(data, static_cast<int>(size));
    };
    if constexpr (requires { T::descriptor()->file(); }) info.message_schema = &message_schema<T>;
    return info;
  }
};

template <class T>
constinit const TypeInfo TypeInfoOf<T>::info = MakeTypeInfo<T>::make();

}  // namespace detail

template <class T>
constexpr const TypeInfo& type_of() noexcept {
  return detail::TypeInfoOf<T>::info;
}

}  // namespace settee::inline v0
