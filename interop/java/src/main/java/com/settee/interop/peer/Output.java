// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Standard output of the programs: whole lines, UTF-8, flushed one by one; and the watchdog that bounds their life. */
final class Output {
  private static final PrintStream OUT = new PrintStream(
      new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);

  private Output() {
  }

  static synchronized void line(String text) {
    OUT.print(text.replace("\r", "\\r").replace("\n", "\\n") + "\n");
    OUT.flush();
  }

  /**
   * Ends the process at once. SOFARPC's own shutdown hook waits for pools and connections, which a program that has
   * already printed its verdict has no reason to do.
   */
  static void exit(int status) {
    System.err.flush();
    Runtime.getRuntime().halt(status);
  }

  /** After that many seconds prints the line and ends the process with status 3. */
  static void watchdog(int seconds, java.util.function.Supplier<String> verdict) {
    Thread thread = new Thread(() -> {
      try {
        Thread.sleep(seconds * 1000L);
      } catch (InterruptedException e) {
        return;
      }
      line(verdict.get());
      exit(3);
    }, "watchdog");
    thread.setDaemon(true);
    thread.start();
  }
}
