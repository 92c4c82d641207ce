// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.settee.bench.User;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.TreeMap;

/** Values that more than one program needs. */
final class Payloads {
  private Payloads() {
  }

  /** The contract's byte pattern: byte i is (byte) (i * 31). */
  static byte[] pattern(int size) {
    byte[] bytes = new byte[size];
    for (int i = 0; i < size; i++) {
      bytes[i] = (byte) (i * 31);
    }
    return bytes;
  }

  /** ASCII, two-byte, three-byte and surrogate-pair characters, at least {@code utf8Bytes} long in UTF-8. */
  static String mixedText(int utf8Bytes) {
    String unit = "settee \u00e9\u00df \u4e2d\u6587 \ud83d\ude00 ";
    int unitBytes = unit.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
    return unit.repeat(utf8Bytes / unitBytes + 1);
  }

  /** The user of the Hessian benchmarks: 2 emails, 3 attributes, 3 tags, texts of 12 to 20 ASCII bytes. */
  static User benchUser() {
    User user = new User();
    user.id = 4000000000L;
    user.name = "Ada Lovelace King";
    user.age = 36;
    user.emails = new ArrayList<>(List.of("ada@example.org.uk", "countess@example.com"));
    // A sorted map would put its class name on the wire, so only its order is taken.
    TreeMap<String, String> sorted = new TreeMap<>();
    sorted.put("city.of.birth", "London, England");
    sorted.put("favourite.topic", "analytical engine");
    sorted.put("preferred.name", "Countess Lovelace");
    user.attributes = new java.util.HashMap<>(sorted);
    user.created = new Date(1700000000123L);
    user.balance = 12345.678;
    user.active = true;
    user.tags = new String[] {"mathematician", "first-programmer", "poetical-science"};
    user.score = 0.75f;
    return user;
  }
}
