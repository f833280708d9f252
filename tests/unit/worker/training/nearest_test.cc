#include "worker/training/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;

std::vector<size_t> IndicesOf(const std::vector<Near>& near) {
  std::vector<size_t> indices;
  for (const Near& n : near) indices.push_back(n.index);
  return indices;
}

TEST(NearestByCosine, OrdersByDirectionNotLength) {
  const std::vector<float> rows = {1, 0, 100, 100, 0.1f, 0.01f, -1, 0, 0, 0};
  const auto near = NearestByCosine(rows, 2, 0, 10);
  EXPECT_THAT(IndicesOf(near), ElementsAre(2, 1, 4, 3));
  EXPECT_NEAR(near[1].cosine, 0.7071, 1e-4);
  EXPECT_EQ(near[2].cosine, 0);
  EXPECT_NEAR(near[3].cosine, -1, 1e-9);
}

TEST(NearestByCosine, GivesAsManyAsAskedForAndTiesByIndex) {
  const std::vector<float> rows = {1, 1, 2, 1};
  EXPECT_THAT(IndicesOf(NearestByCosine(rows, 1, 1, 2)), ElementsAre(0, 2));
  EXPECT_TRUE(NearestByCosine(rows, 4, 0, 3).empty());
}

TEST(FindTitle, PrefersEqualThenStartThenAnywhere) {
  const std::vector<ItemTitle> titles = {{Key(1), "A Star Wars Story"},
                                         {Key(2), "Star Wars: Two"},
                                         {Key(3), "Star Wars"},
                                         {Key(4), "Heat"}};
  EXPECT_EQ(FindTitle(titles, "star wars"), 2u);
  EXPECT_EQ(FindTitle(titles, "STAR"), 1u);
  EXPECT_EQ(FindTitle(titles, "wars s"), 0u);
  EXPECT_EQ(FindTitle(titles, "Alien"), std::nullopt);
}

}  // namespace
}  // namespace rowhouse
