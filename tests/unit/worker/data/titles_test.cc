#include "worker/data/titles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ItemTitle MakeTitle(uint64_t item, std::string title) { return {Key(item), std::move(title)}; }

std::string ErrorOf(std::string_view text) {
  return std::string(ParseTitles(text, "t").status().message());
}

TEST(Titles, ReadsUItem) {
  const auto titles = ParseTitles(
      "1|Toy Story (1995)|01-Jan-1995||http://x|0|1\n2|GoldenEye (1995)|||\n", "u.item");
  ASSERT_TRUE(titles.ok()) << titles.status();
  EXPECT_THAT(*titles,
              ElementsAre(MakeTitle(1, "Toy Story (1995)"), MakeTitle(2, "GoldenEye (1995)")));
}

TEST(Titles, TurnsLatin1IntoUtf8) {
  const auto titles = ParseTitles("543|Mis\xe9rables, Les (1995)|\n", "u.item");
  ASSERT_TRUE(titles.ok()) << titles.status();
  EXPECT_THAT(*titles, ElementsAre(MakeTitle(543, "Mis\xc3\xa9rables, Les (1995)")));
}

TEST(Titles, KeepsUtf8) {
  const auto titles = ParseTitles("543|Mis\xc3\xa9rables, Les (1995)|\n", "u.item");
  ASSERT_TRUE(titles.ok());
  EXPECT_EQ(titles->at(0).title, "Mis\xc3\xa9rables, Les (1995)");
}

TEST(Titles, ReadsMoviesDat) {
  const auto titles = ParseTitles("1::Toy Story (1995)::Animation|Children's\r\n", "movies.dat");
  ASSERT_TRUE(titles.ok()) << titles.status();
  EXPECT_THAT(*titles, ElementsAre(MakeTitle(1, "Toy Story (1995)")));
}

TEST(Titles, ReadsMoviesCsvWithQuotes) {
  const auto titles = ParseTitles(
      "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n"
      "11,\"American President, The (1995)\",Comedy\n7,\"The \"\"Great\"\" One\",Drama\n",
      "movies.csv");
  ASSERT_TRUE(titles.ok()) << titles.status();
  EXPECT_THAT(*titles, ElementsAre(MakeTitle(1, "Toy Story (1995)"),
                                   MakeTitle(11, "American President, The (1995)"),
                                   MakeTitle(7, "The \"Great\" One")));
}

TEST(Titles, NamesFileAndLineOfMalformedLines) {
  EXPECT_EQ(ErrorOf("1|A|\nx|B|\n"), "t:2: the item id is not a number: 'x|B|'");
  EXPECT_THAT(ErrorOf("1||\n"), HasSubstr("t:1: there is no title"));
  EXPECT_THAT(ErrorOf("movieId,title,genres\n1,\"A,B\n"), HasSubstr("t:2: the quotes"));
  EXPECT_THAT(ErrorOf("movieId,title,genres\n1,\"A\"B,C\n"), HasSubstr("t:2: the quotes"));
  EXPECT_THAT(ErrorOf("what\n"), HasSubstr("t:1: not an item"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("t: no items"));
}

TEST(Titles, KnowsUtf8) {
  for (const char* good :
       {"", "a", "\xc2\x80", "\xe2\x82\xac", "\xf0\x9f\x8e\xac", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xe0\x80\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff", "a\xe9r"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace rowhouse
