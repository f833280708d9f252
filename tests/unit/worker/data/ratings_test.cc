#include "worker/data/ratings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/text.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Rating MakeRating(uint64_t user, uint64_t item, float value) {
  return {Key(user), Key(item), value};
}

std::string ErrorOf(std::string_view text, RatingsFormat format = RatingsFormat::kAuto) {
  return std::string(ParseRatings(text, "r", format).status().message());
}

TEST(Ratings, ReadsUData) {
  const auto ratings = ParseRatings("196\t242\t3\t881250949\n22\t377\t1\t878887116\n", "u.data");
  ASSERT_TRUE(ratings.ok()) << ratings.status();
  EXPECT_THAT(*ratings, ElementsAre(MakeRating(196, 242, 3), MakeRating(22, 377, 1)));
}

TEST(Ratings, ReadsRatingsDat) {
  const auto ratings = ParseRatings("1::122::5::838985046\n1::185::4.5::838983525\n", "r.dat");
  ASSERT_TRUE(ratings.ok()) << ratings.status();
  EXPECT_THAT(*ratings, ElementsAre(MakeRating(1, 122, 5), MakeRating(1, 185, 4.5)));
}

TEST(Ratings, ReadsRatingsCsv) {
  const auto ratings = ParseRatings(
      "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147868817\n", "r.csv");
  ASSERT_TRUE(ratings.ok()) << ratings.status();
  EXPECT_THAT(*ratings, ElementsAre(MakeRating(1, 296, 5), MakeRating(1, 306, 3.5)));
}

TEST(Ratings, ToleratesCrLfByteOrderMarkAndNoLastLineEnd) {
  const auto ratings =
      ParseRatings("\xef\xbb\xbfuserId,movieId,rating,timestamp\r\n1,2,0.5,3\r\n4,5,1,6", "r.csv");
  ASSERT_TRUE(ratings.ok()) << ratings.status();
  EXPECT_THAT(*ratings, ElementsAre(MakeRating(1, 2, 0.5), MakeRating(4, 5, 1)));
}

TEST(Ratings, IdsAreAnyUint64) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  const auto ratings = ParseRatings(StrCat(kMax, "\t0\t3\t1\n"), "u.data");
  ASSERT_TRUE(ratings.ok()) << ratings.status();
  EXPECT_THAT(*ratings, ElementsAre(MakeRating(kMax, 0, 3)));
}

TEST(Ratings, NamesFileLineAndTextOfMalformedLines) {
  EXPECT_EQ(ErrorOf("1\t2\t3\t4\n1\tx\t3\t4\n"),
            "r:2: the item id is not a number: '1\\tx\\t3\\t4'");
  EXPECT_THAT(ErrorOf("-1\t2\t3\t4\n"), HasSubstr("r:1: the user id"));
  EXPECT_THAT(ErrorOf("18446744073709551616\t2\t3\t4\n"), HasSubstr("r:1: the user id"));
  EXPECT_THAT(ErrorOf("1\t2\t\t4\n"), HasSubstr("r:1: the rating is not"));
  EXPECT_THAT(ErrorOf("1\t2\tnan\t4\n"), HasSubstr("r:1: the rating is out of range"));
  EXPECT_THAT(ErrorOf("1\t2\t1e30\t4\n"), HasSubstr("r:1: the rating is out of range"));
  EXPECT_THAT(ErrorOf("1\t2\t3\n"), HasSubstr("r:1: the timestamp"));
  EXPECT_THAT(ErrorOf("1\t2\t3\t4\t5\n"), HasSubstr("r:1: the timestamp"));
  EXPECT_THAT(ErrorOf("1\t2\t3\t4\n\n1\t2\t3\t4\n"), HasSubstr("r:2: the user id"));
  EXPECT_THAT(ErrorOf("1::2::3::4\n1:2:3:4\n"), HasSubstr("r:2: the user id"));
  EXPECT_THAT(ErrorOf("user,item\n1,2\n"), HasSubstr("r:1: the header is not userId,"));
  EXPECT_THAT(ErrorOf("hello\n"), HasSubstr("r:1: not a rating in one of the formats"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("r: no ratings"));
  EXPECT_THAT(ErrorOf("userId,movieId,rating,timestamp\n"), HasSubstr("r: no ratings"));
}

TEST(Ratings, FormatCanBeGiven) {
  EXPECT_THAT(ErrorOf("1\t2\t3\t4\n", RatingsFormat::kRatingsDat), HasSubstr("r:1: the user id"));
  EXPECT_TRUE(ParseRatings("1::2::3::4", "r", RatingsFormat::kRatingsDat).ok());
}

TEST(Ratings, CutsAndEscapesOffendingText) {
  const std::string error = ErrorOf(StrCat("\x01\xff", std::string(10000, 'a'), "\t1\t2\t3\n"));
  EXPECT_LT(error.size(), 200u);
  EXPECT_THAT(error, HasSubstr("'\\x01\\xffaaa"));
}

TEST(Ratings, NamesAFileThatCannotBeRead) {
  EXPECT_EQ(ReadRatings("/nowhere/u.data").status().message(),
            "cannot read /nowhere/u.data: No such file or directory");
  EXPECT_EQ(ReadRatings("/").status().message(), "cannot read /: Is a directory");
}

}  // namespace
}  // namespace rowhouse
