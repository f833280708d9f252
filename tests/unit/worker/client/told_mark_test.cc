#include "worker/client/told_mark.h"

#include <gtest/gtest.h>

#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/control.h"
#include "common/wire/data.h"

namespace rowhouse {
namespace {

template <typename Header>
std::span<const std::byte> Bytes(const Header& header) {
  return std::as_bytes(std::span(&header, 1));
}

TEST(ToldMark, IsReadFromEveryAnswerThatTellsOne) {
  PullAnswerHeader pulled;
  pulled.mark = Mark(7);
  EXPECT_EQ(ToldMark(Op::kPull, Bytes(pulled)), Mark(7));
  PushAnswer pushed;
  pushed.mark = Mark(8);
  EXPECT_EQ(ToldMark(Op::kPush, Bytes(pushed)), Mark(8));
  EXPECT_EQ(ToldMark(Op::kRenewClient, EncodeControl(RenewClientAnswer{Mark(9)})), Mark(9));
  for (const Op op : {Op::kCloseMark, Op::kLeaveClient, Op::kAnnounceMark, Op::kPrepareCheckpoint,
                      Op::kAbandonCheckpoint, Op::kPublishCheckpoint}) {
    EXPECT_EQ(ToldMark(op, EncodeControl(Done{Mark(10)})), Mark(10));
  }
}

TEST(ToldMark, IsNothingInOtherAnswersAndInShortOnes) {
  EXPECT_EQ(ToldMark(Op::kStats, EncodeControl(Done{Mark(10)})), Mark(0));
  EXPECT_EQ(ToldMark(Op::kPull, {}), Mark(0));
  EXPECT_EQ(ToldMark(Op::kCloseMark, {}), Mark(0));
}

}  // namespace
}  // namespace rowhouse
