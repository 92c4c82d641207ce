// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.sofa.rpc.core.request.SofaRequest;
import com.alipay.sofa.rpc.core.response.SofaResponse;
import com.alipay.sofa.rpc.filter.Filter;
import com.alipay.sofa.rpc.filter.FilterInvoker;

/** Shows a service the properties of the request that it serves, where SOFARPC puts the caller's custom headers. */
final class Headers extends Filter {
  private static final ThreadLocal<SofaRequest> CURRENT = new ThreadLocal<>();

  /** The property of the current request as text, or "none". */
  static String get(String name) {
    SofaRequest request = CURRENT.get();
    Object value = request == null ? null : request.getRequestProp(name);
    return value == null ? "none" : value.toString();
  }

  @Override
  public SofaResponse invoke(FilterInvoker invoker, SofaRequest request) {
    CURRENT.set(request);
    try {
      return invoker.invoke(request);
    } finally {
      CURRENT.remove();
    }
  }
}
