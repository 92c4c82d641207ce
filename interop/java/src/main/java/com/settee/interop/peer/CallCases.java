// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

package com.settee.interop.peer;

import com.alipay.hessian.generic.model.GenericObject;
import com.alipay.sofa.rpc.api.future.SofaResponseFuture;
import com.alipay.sofa.rpc.context.RpcInvokeContext;
import com.alipay.sofa.rpc.core.exception.RpcErrorType;
import com.alipay.sofa.rpc.core.exception.SofaRpcException;
import com.alipay.sofa.rpc.core.exception.SofaTimeOutException;
import com.alipay.sofa.rpc.core.invoke.SofaResponseCallback;
import com.alipay.sofa.rpc.core.request.RequestBase;
import com.settee.bench.EchoException;
import com.settee.interop.BizException;
import com.settee.interop.MissingService;
import com.settee.interop.TypeService;
import com.settee.interop.User;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** The cases about calls: errors, ways of calling, timing, size, what travels beside the arguments. */
final class CallCases {
  private static final int CONCURRENT = 64;
  private static final int EIGHT_MIB = 8 * 1024 * 1024;
  private static final int LARGE_TIMEOUT_MS = 30_000;
  private static final String UNICODE = "\u5931\u8d25 \ud83d\ude00";

  private final Peer peer;

  CallCases(Peer peer) {
    this.peer = peer;
  }

  private TypeService types() {
    return peer.types();
  }

  void addTo(Map<String, PeerClient.Case> cases) {
    cases.put("noop", () -> types().noop());
    cases.put("fail", () -> failure(7, "out of stock"));
    cases.put("fail_unicode", () -> failure(-1, UNICODE));
    cases.put("fail_runtime", this::runtimeFailure);
    cases.put("unknown_method", this::unknownMethod);
    cases.put("unknown_service", this::unknownService);
    cases.put("oneway", this::oneway);
    cases.put("future", this::future);
    cases.put("future_fail", this::futureFailure);
    cases.put("callback", this::callback);
    cases.put("callback_fail", this::callbackFailure);
    cases.put("sleep", () -> Check.same("slept 50", types().sleep(50)));
    cases.put("timeout", this::timeout);
    cases.put("concurrent", this::concurrent);
    cases.put("large_answer", this::largeAnswer);
    cases.put("large_request", this::largeRequest);
    cases.put("baggage", this::baggage);
    cases.put("baggage_none", () -> Check.same("none", types().baggage("absent")));
    cases.put("generic_invoke", this::genericInvoke);
    cases.put("generic_object", this::genericObject);
    cases.put("json", this::json);
    cases.put("bench_echo", this::benchEcho);
    cases.put("bench_user", this::benchUser);
    cases.put("bench_fail", this::benchFailure);
  }

  private void failure(int code, String message) {
    BizException e = Check.fails(BizException.class, () -> types().fail(code, message));
    Check.same(code, e.code);
    Check.same(message, e.getMessage());
  }

  private void runtimeFailure() {
    IllegalStateException e = Check.fails(IllegalStateException.class, () -> types().failRuntime("broken " + UNICODE));
    Check.same("broken " + UNICODE, e.getMessage());
  }

  /** Over HTTP all errors are text: 160 is what the method has thrown, 299 what the framework has refused. */
  void httpErrors() {
    for (String serialization : new String[] {"hessian2", "json"}) {
      TypeService types = peer.refer(TypeService.class, config -> config.setSerialization(serialization));
      SofaRpcException thrown = Check.fails(SofaRpcException.class, () -> types.fail(7, "out of stock"));
      Check.same(160, thrown.getErrorType());
      Check.contains(thrown.getMessage(), "com.settee.interop.BizException: out of stock");
      MissingService missing = peer.refer(MissingService.class, config -> config.setSerialization(serialization));
      SofaRpcException refused = Check.fails(SofaRpcException.class, () -> missing.anything("x"));
      Check.same(299, refused.getErrorType());
      Check.contains(refused.getMessage(), "cannot find service: [com.settee.interop.MissingService]");
    }
  }

  private void unknownMethod() {
    SofaRpcException e = Check.fails(SofaRpcException.class,
        () -> peer.generic().$invoke("noSuchMethod", new String[] {"java.lang.String"}, new Object[] {"x"}));
    Check.contains(e.getMessage(), "Cannot find invoke method: [noSuchMethod]");
  }

  private void unknownService() {
    MissingService missing = peer.refer(MissingService.class, config -> config);
    SofaRpcException e = Check.fails(SofaRpcException.class, () -> missing.anything("x"));
    Check.contains(e.getMessage(), "cannot find service: [com.settee.interop.MissingService:1.0");
  }

  private void oneway() throws Exception {
    TypeService oneway = peer.refer(TypeService.class, config -> config.setInvokeType("oneway"));
    String text = "oneway " + System.nanoTime();
    oneway.notify(text);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
    while (types().notified(text) == 0) {
      Check.that(System.nanoTime() < end, "the oneway call did not arrive in 5 s");
      Thread.sleep(10);
    }
    // A call that is delivered twice would be counted by now.
    Thread.sleep(100);
    Check.same(1, types().notified(text));
  }

  private void future() throws Exception {
    TypeService types = peer.refer(TypeService.class, config -> config.setInvokeType("future"));
    Check.same(null, types.echoString("first"));
    Future<?> first = SofaResponseFuture.getFuture();
    types.sleep(100);
    Future<?> second = SofaResponseFuture.getFuture();
    Check.same("first", first.get(5, TimeUnit.SECONDS));
    Check.same("slept 100", second.get(5, TimeUnit.SECONDS));
  }

  private void futureFailure() throws Exception {
    TypeService types = peer.refer(TypeService.class, config -> config.setInvokeType("future"));
    types.fail(3, "later");
    Future<?> future = SofaResponseFuture.getFuture();
    Exception e = Check.fails(Exception.class, () -> future.get(5, TimeUnit.SECONDS));
    Throwable cause = e instanceof BizException ? e : e.getCause();
    Check.that(cause instanceof BizException && ((BizException) cause).code == 3, "expected BizException 3, got " + e);
  }

  /** A callback that hands everything to a future. */
  private static final class Receiver implements SofaResponseCallback<Object> {
    final CompletableFuture<Object> result = new CompletableFuture<>();

    @Override
    public void onAppResponse(Object response, String methodName, RequestBase request) {
      result.complete(response);
    }

    @Override
    public void onAppException(Throwable e, String methodName, RequestBase request) {
      result.complete(e);
    }

    @Override
    public void onSofaException(SofaRpcException e, String methodName, RequestBase request) {
      result.completeExceptionally(e);
    }
  }

  private void callback() throws Exception {
    Receiver receiver = new Receiver();
    TypeService types = peer.refer(TypeService.class,
        config -> config.setInvokeType("callback").setOnReturn(receiver));
    types.echoString("called back");
    Check.same("called back", receiver.result.get(5, TimeUnit.SECONDS));
  }

  private void callbackFailure() throws Exception {
    Receiver receiver = new Receiver();
    TypeService types = peer.refer(TypeService.class,
        config -> config.setInvokeType("callback").setOnReturn(receiver));
    types.fail(4, "called back");
    Object result = receiver.result.get(5, TimeUnit.SECONDS);
    Check.that(result instanceof BizException && ((BizException) result).code == 4, "expected BizException 4, got "
        + result);
  }

  private void timeout() throws Exception {
    long start = System.nanoTime();
    Check.fails(SofaTimeOutException.class, () -> Peer.within(300, () -> types().sleep(1200)));
    long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
    Check.that(ms >= 250 && ms < 1200, "a timeout of 300 ms took " + ms + " ms");
    // The late answer must not be taken for the answer of a later call.
    for (int i = 0; i < 12; i++) {
      Check.same("after " + i, types().echoString("after " + i));
      Thread.sleep(100);
    }
  }

  private void concurrent() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(CONCURRENT);
    try {
      List<Future<?>> calls = new ArrayList<>();
      for (int i = 0; i < CONCURRENT; i++) {
        int number = i;
        calls.add(pool.submit(() -> {
          for (int round = 0; round < 3; round++) {
            // Longer sleeps are sent first, so that the answers return in another order than the calls.
            int ms = 200 - 3 * number;
            String text = "call " + number + " round " + round + " " + "x".repeat(number * 10);
            if (number % 2 == 0) {
              Check.same("slept " + ms, types().sleep(ms));
            } else {
              Check.same(text, types().echoString(text));
            }
          }
          return null;
        }));
      }
      for (Future<?> call : calls) {
        try {
          call.get(30, TimeUnit.SECONDS);
        } catch (java.util.concurrent.ExecutionException e) {
          throw new Check.Failure(String.valueOf(e.getCause().getMessage()));
        }
      }
    } finally {
      pool.shutdownNow();
    }
  }

  /** A server whose workers are all taken refuses; one worker is taken here in case the server has a free one. */
  void busy() throws Exception {
    TypeService future = peer.refer(TypeService.class, config -> config.setInvokeType("future"));
    future.sleep(1500);
    Thread.sleep(300);
    SofaRpcException e = Check.fails(SofaRpcException.class, () -> types().sleep(1));
    Check.same(RpcErrorType.SERVER_BUSY, e.getErrorType());
  }

  /** A server that refuses who brings no token. */
  void refusedCaller() {
    SofaRpcException e = Check.fails(SofaRpcException.class, () -> types().echoString("x"));
    Check.same(SofaRpcException.class, e.getClass());
    Check.same(RpcErrorType.SERVER_UNDECLARED_ERROR, e.getErrorType());
    Check.same("com.settee.interop.TypeService:1.0#echoString: authentication: no token", e.getMessage());
    TypeService json = peer.refer(TypeService.class, config -> config.setSerialization("json"));
    e = Check.fails(SofaRpcException.class, () -> json.echoString("x"));
    Check.contains(e.getMessage(), "authentication: no token");
    RpcInvokeContext.getContext().addCustomHeader("token", "open sesame");
    try {
      Check.same("x", types().echoString("x"));
    } finally {
      RpcInvokeContext.removeContext();
    }
  }

  /** One call with a header and baggage, and one with neither: what the server saw is its test's business. */
  void customHeader() {
    RpcInvokeContext.removeContext();
    RpcInvokeContext.getContext().addCustomHeader("tenant", "acme " + UNICODE);
    RpcInvokeContext.getContext().putRequestBaggage("who", "alice");
    try {
      Check.same("alice", types().baggage("who"));
      Check.same("got:alice", RpcInvokeContext.getContext().getResponseBaggage("reply"));
    } finally {
      RpcInvokeContext.removeContext();
    }
    Check.same("none", types().baggage("who"));
  }

  private void largeAnswer() throws Exception {
    Check.same(Payloads.pattern(EIGHT_MIB), Peer.within(LARGE_TIMEOUT_MS, () -> types().large(EIGHT_MIB)));
  }

  private void largeRequest() throws Exception {
    byte[] value = Payloads.pattern(EIGHT_MIB);
    Check.same(value, Peer.within(LARGE_TIMEOUT_MS, () -> types().echoBytes(value)));
  }

  private void baggage() {
    RpcInvokeContext.removeContext();
    RpcInvokeContext.getContext().putRequestBaggage("who", "alice " + UNICODE);
    try {
      Check.same("alice " + UNICODE, types().baggage("who"));
      Check.same("got:alice " + UNICODE, RpcInvokeContext.getContext().getResponseBaggage("reply"));
    } finally {
      RpcInvokeContext.removeContext();
    }
  }

  private void genericInvoke() {
    Check.same("generic", peer.generic().$invoke("echoString", new String[] {"java.lang.String"},
        new Object[] {"generic"}));
    Check.same(5L, peer.generic().$invoke("echoLong", new String[] {"long"}, new Object[] {5L}));
    Check.same(null, peer.generic().$invoke("noop", new String[0], new Object[0]));
  }

  private void genericObject() {
    GenericObject user = new GenericObject("com.settee.interop.User");
    user.putField("id", "g");
    user.putField("name", "generic");
    user.putField("age", 3);
    user.putField("score", 9L);
    user.putField("birth", new Date(5));
    String[] signature = {"com.settee.interop.User"};
    GenericObject answer = (GenericObject) peer.generic().$genericInvoke("echoUser", signature, new Object[] {user});
    Check.same("com.settee.interop.User", answer.getType());
    for (String field : user.getFieldNames()) {
      Check.same(user.getField(field), answer.getField(field));
    }
    User typed = peer.generic().$genericInvoke("echoUser", signature, new Object[] {user}, User.class);
    Check.same("generic", typed.name);
    Check.same(9L, typed.score);
  }

  private void json() {
    TypeService types = peer.refer(TypeService.class, config -> config.setSerialization("json"));
    Check.same("json \"" + UNICODE + "\"", types.echoString("json \"" + UNICODE + "\""));
    Check.same(-70000, types.echoInt(-70000));
  }

  private void benchEcho() {
    Check.same("0123456789abcdef", peer.echo().echo("0123456789abcdef"));
    Check.same(Payloads.pattern(40000), peer.echo().echoBytes(Payloads.pattern(40000)));
  }

  private void benchUser() {
    Check.same(Payloads.benchUser(), peer.echo().echoUser(Payloads.benchUser()));
  }

  private void benchFailure() {
    EchoException e = Check.fails(EchoException.class, () -> peer.echo().fail("no echo"));
    Check.same("no echo", e.getMessage());
  }
}
