// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

/** A service that no peer offers; the clients call it to see how its absence is reported. */
public interface MissingService {
  String anything(String text);
}
