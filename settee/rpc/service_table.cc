// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/service_table.h"

#include <algorithm>

namespace settee::inline v0::rpc {

bool matches(const MethodEntry& method, std::string_view name,
             std::span<const std::string_view> signatures) noexcept {
  return method.name == name &&
         std::equal(method.signatures.begin(), method.signatures.end(), signatures.begin(),
                    signatures.end());
}

namespace {

enum class Family { kNumber, kText, kTruth, kList, kMap, kOther };

Family family(std::string_view type) {
  for (const std::string_view number :
       {"int", "long", "short", "byte", "double", "float", "java.lang.Integer", "java.lang.Long",
        "java.lang.Short", "java.lang.Byte", "java.lang.Double", "java.lang.Float",
        "java.math.BigDecimal", "java.math.BigInteger"}) {
    if (type == number) return Family::kNumber;
  }
  for (const std::string_view text : {"java.lang.String", "char", "java.lang.Character"}) {
    if (type == text) return Family::kText;
  }
  if (type == "boolean" || type == "java.lang.Boolean") return Family::kTruth;
  if (type.starts_with('[') || type == "java.util.List" || type == "java.util.Set" ||
      type.starts_with("java.util.ArrayList") || type == "java.util.Collection" ||
      type == "java.util.LinkedList" || type == "java.util.HashSet") {
    return Family::kList;
  }
  if (type == "java.util.Map" || type == "java.util.HashMap" || type == "java.util.LinkedHashMap") {
    return Family::kMap;
  }
  return Family::kOther;
}

// How far a caller's idea of a parameter's type is from the real one; 0: the same.
int distance(std::string_view wanted, std::string_view given) {
  if (wanted == given) return 0;
  if (given == "null" || given.empty()) return 2;
  if (wanted == "java.lang.Object") return 3;
  const Family a = family(wanted);
  const Family b = family(given);
  if (a == b) return a == Family::kOther ? 4 : 1;
  // Beans come as maps from callers that know no class, enums as text.
  if (a == Family::kOther && (b == Family::kMap || b == Family::kText)) return 3;
  return 10;
}

}  // namespace

MethodEntry* find_method(ServiceEntry& service, std::string_view name,
                         std::span<const std::string_view> signatures) noexcept {
  MethodEntry* best = nullptr;
  int best_distance = 0;
  bool tie = false;
  for (MethodEntry& method : service.methods) {
    if (method.name != name || method.signatures.size() != signatures.size()) continue;
    int sum = 0;
    for (std::size_t i = 0; i < signatures.size(); ++i) {
      sum += distance(method.signatures[i], signatures[i]);
    }
    if (sum == 0) return &method;
    if (best == nullptr || sum < best_distance) {
      best = &method;
      best_distance = sum;
      tie = false;
    } else if (sum == best_distance) {
      tie = true;
    }
  }
  return tie ? nullptr : best;
}

MethodEntry* find_method(ServiceEntry& service, std::string_view name) noexcept {
  MethodEntry* found = nullptr;
  for (MethodEntry& method : service.methods) {
    if (method.name != name) continue;
    if (found != nullptr) return nullptr;
    found = &method;
  }
  return found;
}

}  // namespace settee::inline v0::rpc
