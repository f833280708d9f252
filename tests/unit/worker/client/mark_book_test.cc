#include "worker/client/mark_book.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

constexpr std::nullopt_t kNothing = std::nullopt;

TEST(MarkBook, HasNothingToCloseUnderTheMarkItRegisteredUnder) {
  MarkBook book(Mark(3), Mark(3));
  EXPECT_EQ(book.TakeClosable(), kNothing);
  EXPECT_EQ(book.BeginPush(), Mark(3));
  book.EndPush(Mark(3));
  EXPECT_EQ(book.TakeClosable(), kNothing);
}

TEST(MarkBook, ClosesAtOnceWhereSomeShardsRegisteredItUnderALowerMark) {
  MarkBook book(Mark(3), Mark(5));
  EXPECT_EQ(book.BeginPush(), Mark(5));
  EXPECT_EQ(book.TakeClosable(), Mark(5));
}

TEST(MarkBook, AnIdleClientClosesAMarkAsSoonAsItKnowsIt) {
  MarkBook book(Mark(0), Mark(0));
  book.Learn(Mark(1));
  EXPECT_EQ(book.TakeClosable(), Mark(1));
  EXPECT_EQ(book.TakeClosable(), kNothing) << "once is enough";
}

TEST(MarkBook, WaitsForEveryPushMarkedLess) {
  MarkBook book(Mark(0), Mark(0));
  const Mark first = book.BeginPush();
  const Mark second = book.BeginPush();
  book.Learn(Mark(1));
  EXPECT_EQ(book.TakeClosable(), kNothing);
  EXPECT_EQ(book.BeginPush(), Mark(1));
  book.EndPush(first);
  EXPECT_EQ(book.TakeClosable(), kNothing);
  book.EndPush(second);
  EXPECT_EQ(book.TakeClosable(), Mark(1)) << "the open push bears the new mark";
}

TEST(MarkBook, ClosesAMarkBetweenWhenAHigherOneMustWait) {
  MarkBook book(Mark(0), Mark(0));
  const Mark zero = book.BeginPush();
  book.Learn(Mark(1));
  const Mark one = book.BeginPush();
  book.Learn(Mark(2));
  EXPECT_EQ(book.TakeClosable(), kNothing);
  book.EndPush(zero);
  EXPECT_EQ(book.TakeClosable(), Mark(1));
  book.EndPush(one);
  EXPECT_EQ(book.TakeClosable(), Mark(2)) << "though the lower one is not acknowledged yet";
  book.Closed(Mark(2));
  book.Closed(Mark(1));
  EXPECT_EQ(book.closed(), Mark(2));
  EXPECT_EQ(book.TakeClosable(), kNothing);
}

TEST(MarkBook, TriesAgainWhatFailed) {
  MarkBook book(Mark(0), Mark(7));
  EXPECT_EQ(book.TakeClosable(), Mark(7));
  book.CloseFailed(Mark(7));
  EXPECT_EQ(book.TakeClosable(), Mark(7));
  book.Closed(Mark(7));
  EXPECT_EQ(book.TakeClosable(), kNothing);
}

TEST(MarkBook, AFailureDoesNotRepeatWhatAHigherClosingCovers) {
  MarkBook book(Mark(0), Mark(1));
  EXPECT_EQ(book.TakeClosable(), Mark(1));
  book.Learn(Mark(2));
  EXPECT_EQ(book.TakeClosable(), Mark(2));
  book.CloseFailed(Mark(1));
  EXPECT_EQ(book.TakeClosable(), kNothing);
}

TEST(MarkBook, NeverFallsBackToALowerMark) {
  MarkBook book(Mark(0), Mark(4));
  book.Learn(Mark(2));
  EXPECT_EQ(book.known(), Mark(4));
  EXPECT_EQ(book.BeginPush(), Mark(4));
}

TEST(MarkBookDeathTest, EndingAPushThatNeverBeganIsABug) {
  MarkBook book(Mark(0), Mark(0));
  EXPECT_DEATH(book.EndPush(Mark(0)), "no push marked");
}

}  // namespace
}  // namespace rowhouse
