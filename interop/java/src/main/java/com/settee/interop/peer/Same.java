// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Compares two object graphs field by field and says where they first differ.
 *
 * <p>Beans must have the same class; collections and maps only the same kind, because the wire names a class of its own
 * choice for them. Cycles are followed once per pair of objects.
 */
final class Same {
  private final Map<Object, List<Object>> seen = new IdentityHashMap<>();

  private Same() {
  }

  /** The first difference, or null when there is none. */
  static String difference(Object expected, Object actual) {
    return new Same().compare(expected, actual, "value");
  }

  private String compare(Object a, Object b, String path) {
    if (a == b) {
      return null;
    }
    if (a == null || b == null) {
      return path + ": expected " + brief(a) + ", got " + brief(b);
    }
    boolean bean = a.getClass().getName().startsWith("com.settee.") && !(a instanceof Enum);
    boolean container = bean || a.getClass().isArray() || a instanceof Map || a instanceof Collection;
    if (container && alreadyCompared(a, b)) {
      return null;
    }
    if (a.getClass().isArray()) {
      return compareArrays(a, b, path);
    }
    if (a instanceof Map) {
      return compareMaps((Map<?, ?>) a, b, path);
    }
    if (a instanceof Set) {
      return b instanceof Set && a.equals(b) ? null : path + ": expected " + brief(a) + ", got " + brief(b);
    }
    if (a instanceof Collection) {
      return compareLists((Collection<?>) a, b, path);
    }
    if (a.getClass() != b.getClass()) {
      return path + ": expected " + brief(a) + ", got " + brief(b);
    }
    if (bean) {
      return compareBeans(a, b, path);
    }
    return Objects.equals(a, b) ? null : path + ": expected " + brief(a) + ", got " + brief(b);
  }

  private boolean alreadyCompared(Object a, Object b) {
    List<Object> partners = seen.computeIfAbsent(a, key -> new ArrayList<>());
    for (Object partner : partners) {
      if (partner == b) {
        return true;
      }
    }
    partners.add(b);
    return false;
  }

  private String compareArrays(Object a, Object b, String path) {
    if (a.getClass() != b.getClass()) {
      return path + ": expected " + a.getClass().getTypeName() + ", got " + b.getClass().getTypeName();
    }
    if (Array.getLength(a) != Array.getLength(b)) {
      return path + ": expected length " + Array.getLength(a) + ", got " + Array.getLength(b);
    }
    if (a instanceof byte[] && java.util.Arrays.equals((byte[]) a, (byte[]) b)) {
      return null;
    }
    for (int i = 0; i < Array.getLength(a); i++) {
      String difference = compare(Array.get(a, i), Array.get(b, i), path + "[" + i + "]");
      if (difference != null) {
        return difference;
      }
    }
    return null;
  }

  private String compareLists(Collection<?> a, Object other, String path) {
    if (!(other instanceof Collection) || other instanceof Set) {
      return path + ": expected a list, got " + brief(other);
    }
    Collection<?> b = (Collection<?>) other;
    if (a.size() != b.size()) {
      return path + ": expected size " + a.size() + ", got " + b.size();
    }
    Iterator<?> right = b.iterator();
    int i = 0;
    for (Object left : a) {
      String difference = compare(left, right.next(), path + "[" + i++ + "]");
      if (difference != null) {
        return difference;
      }
    }
    return null;
  }

  private String compareMaps(Map<?, ?> a, Object other, String path) {
    if (!(other instanceof Map)) {
      return path + ": expected a map, got " + brief(other);
    }
    Map<?, ?> b = (Map<?, ?>) other;
    if (a.size() != b.size() || !b.keySet().containsAll(a.keySet())) {
      return path + ": expected keys " + a.keySet() + ", got " + b.keySet();
    }
    for (Map.Entry<?, ?> entry : a.entrySet()) {
      String difference = compare(entry.getValue(), b.get(entry.getKey()), path + "{" + entry.getKey() + "}");
      if (difference != null) {
        return difference;
      }
    }
    return null;
  }

  private String compareBeans(Object a, Object b, String path) {
    for (Class<?> type = a.getClass(); type != Object.class; type = type.getSuperclass()) {
      for (Field field : type.getDeclaredFields()) {
        if (Modifier.isStatic(field.getModifiers()) || Modifier.isTransient(field.getModifiers())) {
          continue;
        }
        try {
          String difference = compare(field.get(a), field.get(b), path + "." + field.getName());
          if (difference != null) {
            return difference;
          }
        } catch (IllegalAccessException e) {
          throw new IllegalStateException(e);
        }
      }
    }
    return null;
  }

  private static String brief(Object value) {
    if (value == null) {
      return "null";
    }
    String text = value instanceof Map || value instanceof Collection ? "of size "
        + (value instanceof Map ? ((Map<?, ?>) value).size() : ((Collection<?>) value).size()) : String.valueOf(value);
    return value.getClass().getTypeName() + " " + (text.length() > 60 ? text.substring(0, 60) + "…" : text);
  }
}
