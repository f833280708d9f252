#include "worker/net/locked_executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <future>
#include <thread>

namespace rowhouse {
namespace {

namespace asio = boost::asio;

class LockedExecutorTest : public testing::Test {
 protected:
  // Asked in another thread: the one that holds it would get it again.
  bool IsHeld() {
    return std::async(std::launch::async,
                      [this] {
                        const std::unique_lock lock(mutex_, std::try_to_lock);
                        return !lock.owns_lock();
                      })
        .get();
  }

  asio::io_context io_;
  std::recursive_mutex mutex_;
  asio::any_io_executor executor_ = LockedExecutor(io_.get_executor(), &mutex_);
};

TEST_F(LockedExecutorTest, HoldsTheMutexWhileAHandlerRunsAndNotAfterIt) {
  bool held = false;
  asio::post(executor_, [&] { held = IsHeld(); });
  io_.run();
  EXPECT_TRUE(held);
  EXPECT_FALSE(IsHeld());
}

TEST_F(LockedExecutorTest, HoldsItWhereverACoroutineGoesOn) {
  bool begins = false;
  bool goes_on = false;
  const auto coroutine = [&]() -> asio::awaitable<void> {
    begins = IsHeld();
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    goes_on = IsHeld();
  };
  asio::co_spawn(executor_, coroutine, asio::detached);
  io_.run();
  EXPECT_TRUE(begins);
  EXPECT_TRUE(goes_on);
  EXPECT_FALSE(IsHeld());
}

TEST_F(LockedExecutorTest, WhatAHandlerDispatchesRunsInsideOfIt) {
  bool inside = false;
  asio::post(executor_, [&] {
    bool ran = false;
    asio::dispatch(executor_, [&] { ran = true; });
    inside = ran;
  });
  io_.run();
  EXPECT_TRUE(inside);
}

TEST_F(LockedExecutorTest, HandlersWaitForWhoHoldsTheMutex) {
  std::unique_lock lock(mutex_);
  std::atomic<int> value = 0;
  std::promise<void> runs;
  asio::post(io_, [&] { runs.set_value(); });
  asio::post(executor_, [&] { ++value; });
  std::thread loop([this] { io_.run(); });
  runs.get_future().wait();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(value, 0);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  lock.unlock();
  loop.join();
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace rowhouse
