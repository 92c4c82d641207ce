// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/internal/json_java_class.h"

namespace settee::inline v0::json::detail {

namespace {

constexpr JavaName kJavaNames[] = {
    {"boolean", JavaKind::kBool},
    {"byte", JavaKind::kByte},
    {"short", JavaKind::kShort},
    {"int", JavaKind::kInt},
    {"long", JavaKind::kLong},
    {"float", JavaKind::kFloat},
    {"double", JavaKind::kDouble},
    {"char", JavaKind::kChar},
    {"string", JavaKind::kString},
    {"date", JavaKind::kDate},
    {"object", JavaKind::kAnything},
    {"java.lang.Boolean", JavaKind::kBool},
    {"java.lang.Byte", JavaKind::kByte},
    {"java.lang.Short", JavaKind::kShort},
    {"java.lang.Integer", JavaKind::kInt},
    {"java.lang.Long", JavaKind::kLong},
    {"java.lang.Float", JavaKind::kFloat},
    {"java.lang.Double", JavaKind::kDouble},
    {"java.lang.Character", JavaKind::kChar},
    {"java.lang.String", JavaKind::kString},
    {"java.lang.CharSequence", JavaKind::kString},
    {"java.lang.Number", JavaKind::kAnything},
    {"java.lang.Object", JavaKind::kAnything},
    {"java.io.Serializable", JavaKind::kAnything},
    {"java.util.Date", JavaKind::kDate},
    {"java.math.BigDecimal", JavaKind::kDecimal},
    {"java.math.BigInteger", JavaKind::kBigInteger},
    {"java.util.List", JavaKind::kList},
    {"java.util.ArrayList", JavaKind::kList},
    {"java.util.Collection", JavaKind::kList},
    {"java.lang.Iterable", JavaKind::kList},
    {"java.util.LinkedList", JavaKind::kList, "java.util.LinkedList"},
    {"java.util.Vector", JavaKind::kList, "java.util.Vector"},
    {"java.util.Set", JavaKind::kList, "java.util.HashSet"},
    {"java.util.HashSet", JavaKind::kList, "java.util.HashSet"},
    {"java.util.LinkedHashSet", JavaKind::kList, "java.util.LinkedHashSet"},
    {"java.util.SortedSet", JavaKind::kList, "java.util.TreeSet"},
    {"java.util.TreeSet", JavaKind::kList, "java.util.TreeSet"},
    {"java.util.Map", JavaKind::kMap},
    {"java.util.HashMap", JavaKind::kMap},
    {"java.util.LinkedHashMap", JavaKind::kMap, "java.util.LinkedHashMap"},
    {"java.util.SortedMap", JavaKind::kMap, "java.util.TreeMap"},
    {"java.util.TreeMap", JavaKind::kMap, "java.util.TreeMap"},
    {"java.util.Hashtable", JavaKind::kMap, "java.util.Hashtable"},
    {"java.util.Properties", JavaKind::kMap, "java.util.Properties"},
    {"java.util.concurrent.ConcurrentMap", JavaKind::kMap,
     "java.util.concurrent.ConcurrentHashMap"},
    {"java.util.concurrent.ConcurrentHashMap", JavaKind::kMap,
     "java.util.concurrent.ConcurrentHashMap"},
};

}  // namespace

JavaName java_type(std::string_view name) noexcept {
  for (const JavaName& known : kJavaNames) {
    if (known.name == name) return known;
  }
  const bool map = name.starts_with("java.util.") && name.ends_with("Map");
  return {name, map ? JavaKind::kMap : JavaKind::kObject, name};
}

std::optional<ArrayType> array_type(std::string_view name) noexcept {
  ArrayType type;
  while (name.size() > 2 && name.substr(name.size() - 2) == "[]") {
    name.remove_suffix(2);
    ++type.dimensions;
  }
  if (type.dimensions == 0) {
    while (name.size() > 1 && name[0] == '[') {
      name.remove_prefix(1);
      ++type.dimensions;
    }
    if (type.dimensions == 0) return std::nullopt;
    if (name.size() == 1) {
      switch (name[0]) {
        case 'Z': name = "boolean"; break;
        case 'B': name = "byte"; break;
        case 'S': name = "short"; break;
        case 'I': name = "int"; break;
        case 'J': name = "long"; break;
        case 'F': name = "float"; break;
        case 'D': name = "double"; break;
        case 'C': name = "char"; break;
        default: break;
      }
    } else if (name.size() > 2 && name.front() == 'L' && name.back() == ';') {
      name = name.substr(1, name.size() - 2);
    }
  }
  type.element = name;
  return type;
}

std::string array_tag(const ArrayType& type) {
  std::string tag(type.dimensions, '[');
  if (type.element == "java.lang.String") {
    tag += "string";
  } else if (type.element == "java.lang.Object") {
    tag += "object";
  } else if (type.element == "java.util.Date") {
    tag += "date";
  } else {
    tag += type.element;
  }
  return tag;
}

}  // namespace settee::inline v0::json::detail
