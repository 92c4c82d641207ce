// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

/** Expectations of the cases. */
final class Check {
  private Check() {
  }

  /** What a case throws when an answer is not the expected one. */
  static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Failure(String message) {
      super(message);
    }
  }

  interface Call {
    Object run() throws Exception;
  }

  static void that(boolean condition, String otherwise) {
    if (!condition) {
      throw new Failure(otherwise);
    }
  }

  static void same(Object expected, Object actual) {
    String difference = Same.difference(expected, actual);
    if (difference != null) {
      throw new Failure(difference);
    }
  }

  /** Runs the call, which must throw exactly this class (or a subclass), and returns what it threw. */
  static <E extends Throwable> E fails(Class<E> type, Call call) {
    Object answer;
    try {
      answer = call.run();
    } catch (Throwable e) {
      if (type.isInstance(e)) {
        return type.cast(e);
      }
      throw new Failure("expected " + type.getSimpleName() + ", got " + e);
    }
    throw new Failure("expected " + type.getSimpleName() + ", got the answer " + answer);
  }

  static void contains(String text, String part) {
    that(text != null && text.contains(part), "expected a message with '" + part + "', got '" + text + "'");
  }
}
