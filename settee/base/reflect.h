// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Describing data types: one line behind the type, at global scope, and every codec knows it.
//
//   namespace acme {
//   enum class Side { BUY, SELL };
//   struct Base { std::string id; };
//   struct Order : Base { std::int64_t cents = 0; Side side = Side::BUY; std::string type_; };
//   struct SoldOut : settee::BusinessException<SoldOut> { std::string sku; };
//   }
//   SETTEE_ENUM(acme::Side, "com.acme.Side", BUY, SELL)
//   SETTEE_STRUCT(acme::Base, "com.acme.Base", id)
//   SETTEE_DERIVED_STRUCT(acme::Order, acme::Base, "com.acme.Order", cents, side, (type_, "type"))
//   SETTEE_EXCEPTION(acme::SoldOut, "com.acme.SoldOut", sku)
//
// The string is the Java class name, which is what travels. A member written (member, "name") has
// that name on the wire. Fields of a base come flattened, as Java sends them. At most 250 members.
// An exception's message travels as detailMessage.
//
// In protobuf a member has its position as its number, from 1, unless it is described with another:
// (member, 7) or (member, "name", 7). A number that protobuf has not, or that another member has, does
// not compile; the message of the compiler shows the type, the member and the number.

#pragma once

#include <array>
#include <string>
#include <typeinfo>

#include "settee/base/detail/for_each.h"
#include "settee/base/error.h"
#include "settee/base/type_info.h"

namespace settee::inline v0 {

/// What every business exception derives from; use BusinessException.
class SETTEE_API Exception {
 public:
  virtual ~Exception();
  /// Text for people, the Java detailMessage.
  std::string message;

  /// This exception as an Error of code kBusiness.
  virtual Error to_error() const = 0;
};

namespace detail {

template <class T>
class HeldException final : public ExceptionValue {
 public:
  explicit HeldException(const T& value) : value_(value) {}
  std::string_view class_name() const noexcept override { return type_of<T>().name; }
  bool read_into(const TypeInfo& type, void* out) const override {
    if (type.name != type_of<T>().name) return false;
    *static_cast<T*>(out) = value_;
    return true;
  }
  const void* object() const noexcept override { return &value_; }
  const TypeInfo* type() const noexcept override { return &type_of<T>(); }

 private:
  T value_;
};

}  // namespace detail

/// Base of a service's own exceptions: `struct SoldOut : BusinessException<SoldOut> { ... };`, described
/// with SETTEE_EXCEPTION. A handler throws it; the caller gets an Error of code kBusiness.
template <class T>
class BusinessException : public Exception {
 public:
  Error to_error() const override {
    return Error(message,
                 std::make_shared<detail::HeldException<T>>(static_cast<const T&>(*this)));
  }
};

template <class T>
std::optional<T> Error::as() const {
  static_assert(Describe<T>::kIsException, "describe the type with SETTEE_EXCEPTION");
  std::optional<T> value;
  if (const ExceptionValue* held = exception();
      held != nullptr && held->class_name() == Describe<T>::kName) {
    value.emplace();
    if (!held->read_into(type_of<T>(), &*value)) value.reset();
  }
  return value;
}

namespace detail {

constexpr MemberInfo member_info(std::size_t offset, const TypeInfo* type, std::string_view name) {
  return {name, offset, type};
}
constexpr MemberInfo member_info(std::size_t offset, const TypeInfo* type, std::string_view,
                                 std::string_view name) {
  return {name, offset, type};
}
constexpr MemberInfo member_info(std::size_t offset, const TypeInfo* type, std::string_view name,
                                 std::int64_t number) {
  return {name, offset, type, field_number(name, number)};
}
constexpr MemberInfo member_info(std::size_t offset, const TypeInfo* type, std::string_view,
                                 std::string_view name, std::int64_t number) {
  return {name, offset, type, field_number(name, number)};
}

template <std::size_t N>
struct MemberTable {
  std::array<MemberInfo, N == 0 ? 1 : N> items{};
  bool positions = true;  // all numbers are
  constexpr std::span<const MemberInfo> span() const { return {items.data(), N}; }
};

template <std::size_t N>
constexpr MemberTable<N - 1> make_members(const MemberInfo (&own)[N]) {
  MemberTable<N - 1> table;
  for (std::size_t i = 1; i < N; ++i) table.items[i - 1] = own[i];
  return table;
}

template <std::size_t A, std::size_t B>
constexpr MemberTable<A + B> join_members(const MemberTable<A>& own,
                                          const MemberTable<B>& inherited) {
  MemberTable<A + B> table;
  for (std::size_t i = 0; i < A; ++i) table.items[i] = own.items[i];
  for (std::size_t i = 0; i < B; ++i) table.items[A + i] = inherited.items[i];
  return table;
}

struct DescribedStruct {
  static constexpr bool kIsStruct = true;
  static constexpr bool kIsException = false;
  static constexpr bool kIsEnum = false;
};
struct DescribedException : DescribedStruct {
  static constexpr bool kIsException = true;
};
struct DescribedEnum {
  static constexpr bool kIsStruct = false;
  static constexpr bool kIsException = false;
  static constexpr bool kIsEnum = true;
};

}  // namespace detail
}  // namespace settee::inline v0

#define SETTEE_DETAIL_MEMBER(Type, item) \
  SETTEE_DETAIL_CAT(SETTEE_DETAIL_MEMBER_, SETTEE_DETAIL_IS_PAREN(item))(Type, item)
#define SETTEE_DETAIL_MEMBER_0(Type, member) SETTEE_DETAIL_MEMBER_AS(Type, member, #member)
#define SETTEE_DETAIL_MEMBER_1(Type, item) SETTEE_DETAIL_MEMBER_2(Type, SETTEE_DETAIL_UNWRAP item)
#define SETTEE_DETAIL_MEMBER_2(Type, ...) SETTEE_DETAIL_MEMBER_3(Type, __VA_ARGS__)
#define SETTEE_DETAIL_MEMBER_3(Type, member, ...) \
  SETTEE_DETAIL_MEMBER_AS(Type, member, #member, __VA_ARGS__)
#define SETTEE_DETAIL_MEMBER_AS(Type, member, ...)                                              \
  settee::detail::member_info(offsetof(Whole, member),                                          \
                              &::settee::detail::TypeInfoOf<decltype(Type::member)>::info,      \
                              __VA_ARGS__),

// The members of Type as they lie within Whole, which is Type or derives from it. offsetof is
// conditionally supported for types with bases; both compilers support it where no base is virtual,
// and warn.
#define SETTEE_DETAIL_MEMBERS(Type, expression)                                             \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Winvalid-offsetof\"")   \
  template <class Whole = Type>                                                             \
  static constexpr auto members() {                                                         \
    return expression;                                                                      \
  }                                                                                         \
  _Pragma("GCC diagnostic pop")

#define SETTEE_DETAIL_OWN_MEMBERS(Type, ...) \
  settee::detail::make_members({{}, SETTEE_DETAIL_FOR_EACH(SETTEE_DETAIL_MEMBER, Type, __VA_ARGS__)})

#define SETTEE_STRUCT(Type, java_class, ...)                                                \
  template <>                                                                               \
  struct settee::Describe<Type> : settee::detail::DescribedStruct {                         \
    static constexpr std::string_view kName = java_class;                                   \
    SETTEE_DETAIL_MEMBERS(Type, (SETTEE_DETAIL_OWN_MEMBERS(Type, __VA_ARGS__)))             \
  };

#define SETTEE_DERIVED_STRUCT(Type, Base, java_class, ...)                                  \
  template <>                                                                               \
  struct settee::Describe<Type> : settee::detail::DescribedStruct {                         \
    static_assert(std::is_base_of_v<Base, Type>, "SETTEE_DERIVED_STRUCT: not a base");      \
    static constexpr std::string_view kName = java_class;                                   \
    SETTEE_DETAIL_MEMBERS(Type, (settee::detail::join_members(                              \
                                    SETTEE_DETAIL_OWN_MEMBERS(Type, __VA_ARGS__),           \
                                    settee::Describe<Base>::template members<Whole>())))    \
  };

#define SETTEE_EXCEPTION(Type, java_class, ...)                                             \
  template <>                                                                               \
  struct settee::Describe<Type> : settee::detail::DescribedException {                      \
    static_assert(std::is_base_of_v<settee::BusinessException<Type>, Type>,                 \
                  "derive the exception: struct X : settee::BusinessException<X>");         \
    static constexpr std::string_view kName = java_class;                                   \
    SETTEE_DETAIL_MEMBERS(Type, (SETTEE_DETAIL_OWN_MEMBERS(                                 \
                                    Type, (message, "detailMessage") __VA_OPT__(, )         \
                                              __VA_ARGS__)))                                \
  };

#define SETTEE_DETAIL_ENUMERATOR(Type, item) \
  {#item, static_cast<std::int64_t>(Type::item)},

#define SETTEE_ENUM(Type, java_class, ...)                                                  \
  template <>                                                                               \
  struct settee::Describe<Type> : settee::detail::DescribedEnum {                           \
    static constexpr std::string_view kName = java_class;                                   \
    static constexpr settee::EnumeratorInfo kEnumerators[] = {                              \
        SETTEE_DETAIL_FOR_EACH(SETTEE_DETAIL_ENUMERATOR, Type, __VA_ARGS__)};               \
  };
