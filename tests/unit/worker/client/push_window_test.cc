#include "worker/client/push_window.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

TEST(PushWindow, CountsFromOne) {
  PushWindow window;
  EXPECT_EQ(window.unretried_below(), Sequence(1));
  EXPECT_EQ(window.Begin(), Sequence(1));
  EXPECT_EQ(window.Begin(), Sequence(2));
}

TEST(PushWindow, ItsFloorIsTheLowestNumberThatIsOut) {
  PushWindow window;
  for (int i = 0; i < 4; ++i) window.Begin();
  EXPECT_EQ(window.unretried_below(), Sequence(1));
  window.Finish(Sequence(2));
  window.Finish(Sequence(3));
  EXPECT_EQ(window.unretried_below(), Sequence(1));
  window.Finish(Sequence(1));
  EXPECT_EQ(window.unretried_below(), Sequence(4));
  window.Finish(Sequence(4));
  EXPECT_EQ(window.unretried_below(), Sequence(5));
  EXPECT_EQ(window.Begin(), Sequence(5));
}

TEST(PushWindow, FinishingTwiceChangesNothing) {
  PushWindow window;
  window.Begin();
  window.Begin();
  window.Finish(Sequence(2));
  window.Finish(Sequence(2));
  EXPECT_EQ(window.unretried_below(), Sequence(1));
}

}  // namespace
}  // namespace rowhouse
