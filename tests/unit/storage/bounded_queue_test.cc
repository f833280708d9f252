#include "storage/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace rowhouse {
namespace {

TEST(BoundedQueue, ItemsOfSeveralProducersAllComeOutOnce) {
  constexpr int kProducers = 3;
  constexpr int kItems = 5000;
  BoundedQueue<int> queue(7);
  std::atomic<int> running = kProducers;
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kItems; ++i) EXPECT_TRUE(queue.Push(p * kItems + i, 1 + i % 3));
      if (--running == 0) queue.Close(absl::OkStatus());
    });
  }
  std::vector<int> seen(kProducers * kItems);
  while (const std::optional<int> item = queue.Pop()) ++seen[static_cast<size_t>(*item)];
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(seen, std::vector<int>(kProducers * kItems, 1));
  EXPECT_TRUE(queue.status().ok());
}

TEST(BoundedQueue, HoldsNoMoreThanItsWeightAndYetTakesOneThatIsHeavier) {
  BoundedQueue<int> queue(10);
  EXPECT_TRUE(queue.Push(1, 100));
  std::atomic<bool> pushed = false;
  std::thread producer([&] {
    EXPECT_TRUE(queue.Push(2, 1));
    pushed = true;
  });
  EXPECT_FALSE(pushed);
  EXPECT_EQ(queue.Pop(), 1);
  EXPECT_EQ(queue.Pop(), 2);
  producer.join();
}

TEST(BoundedQueue, AnErrorEndsBothSidesAndStays) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.Push(1, 1));
  std::thread waiting([&] { EXPECT_FALSE(queue.Push(2, 1)); });
  queue.Close(absl::AbortedError("first"));
  queue.Close(absl::InternalError("second"));
  waiting.join();
  EXPECT_EQ(queue.Pop(), std::nullopt);
  EXPECT_EQ(queue.status(), absl::AbortedError("first"));
}

}  // namespace
}  // namespace rowhouse
