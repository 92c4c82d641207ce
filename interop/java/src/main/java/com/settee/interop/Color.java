// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop;

/** The enum of the contract. */
public enum Color {
  RED, GREEN, BLUE
}
