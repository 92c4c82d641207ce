// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Command line of the form {@code --name value} and {@code --flag}; an unknown name ends the program with status 2. */
final class Options {
  private final Map<String, String> values = new TreeMap<>();

  Options(String[] args, Set<String> withValue, Set<String> flags) {
    for (int i = 0; i < args.length; i++) {
      String name = args[i];
      if (flags.contains(name)) {
        values.put(name, "");
      } else if (withValue.contains(name)) {
        if (++i == args.length) {
          usage("option " + name + " needs a value");
        }
        values.put(name, args[i]);
      } else {
        Set<String> known = new LinkedHashSet<>(withValue);
        known.addAll(flags);
        usage("unknown option " + name + "; known: " + String.join(" ", known));
      }
    }
  }

  static void usage(String problem) {
    System.err.println(problem);
    System.exit(2);
  }

  boolean has(String name) {
    return values.containsKey(name);
  }

  String text(String name, String fallback) {
    return values.getOrDefault(name, fallback);
  }

  int number(String name, int fallback) {
    String text = values.get(name);
    if (text == null) {
      return fallback;
    }
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      usage("option " + name + " needs a whole number, not '" + text + "'");
      return fallback;
    }
  }

  Set<String> list(String name) {
    String text = values.get(name);
    if (text == null || text.isEmpty()) {
      return Set.of();
    }
    return new LinkedHashSet<>(Arrays.asList(text.split(",")));
  }
}
