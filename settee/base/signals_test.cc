// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "settee/base/error.h"

namespace settee {
namespace {

using namespace std::chrono_literals;

void (*handler_of(int signal))(int) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

TEST(SignalWaitTest, GivesTheSignalThatCame) {
  SignalWait wait{SIGUSR1, SIGUSR2};
  EXPECT_EQ(wait.wait_for(1ms), std::nullopt);
  std::thread sender([] { kill(getpid(), SIGUSR2); });
  EXPECT_EQ(wait.get(), SIGUSR2);
  EXPECT_EQ(wait.get(), SIGUSR2);
  sender.join();
}

TEST(SignalWaitTest, AnyTimeCanBeWaited) {
  SignalWait wait{SIGUSR1};
  EXPECT_EQ(wait.wait_for(std::chrono::milliseconds::min()), std::nullopt);
  raise(SIGUSR1);
  EXPECT_EQ(wait.wait_for(std::chrono::milliseconds::max()), SIGUSR1);
}

TEST(SignalWaitTest, PutsBackWhatWasThere) {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &ignore, nullptr);
  {
    SignalWait wait{SIGUSR1};
    raise(SIGUSR1);
    EXPECT_EQ(wait.get(), SIGUSR1);
    EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
  }
  EXPECT_EQ(handler_of(SIGUSR1), SIG_IGN);
  ignore.sa_handler = SIG_DFL;
  sigaction(SIGUSR1, &ignore, nullptr);
}

TEST(SignalWaitTest, ThreadsKeepTheirMasks) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  SignalWait wait{SIGUSR1};
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, nullptr, &now);
  EXPECT_EQ(sigismember(&before, SIGUSR1), sigismember(&now, SIGUSR1));
}

// In a child, as it dies of it.
TEST(SignalWaitTest, TheSecondSignalKills) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    SignalWait wait{SIGTERM, SIGINT};
    raise(SIGTERM);
    if (wait.get() != SIGTERM) _exit(1);
    raise(SIGINT);
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
}

TEST(SignalWaitTest, RefusesASecondOneAndWhatCannotBeHandled) {
  const auto code = [](auto make) {
    try {
      make();
    } catch (const Error& error) {
      return error.code();
    }
    return Code{};
  };
  EXPECT_EQ(code([] { SignalWait({SIGUSR1, SIGKILL}); }), Code::kInvalidArgument);
  EXPECT_EQ(handler_of(SIGUSR1), SIG_DFL);
  EXPECT_EQ(code([] { SignalWait({}); }), Code::kInvalidArgument);
  SignalWait wait{SIGUSR1};
  EXPECT_EQ(code([] { SignalWait({SIGUSR2}); }), Code::kMisuse);
}

}  // namespace
}  // namespace settee
