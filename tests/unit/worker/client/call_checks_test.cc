#include "worker/client/call_checks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/refusal.h"

namespace rowhouse {
namespace {

constexpr Table kUser{TableId(11), Generation(1), 4};

std::string NameOf(TableId table) { return "table 'no " + std::to_string(table.value()) + "'"; }

struct Arrays {
  std::vector<Key> keys = std::vector<Key>(3);
  std::vector<float> floats = std::vector<float>(12);
};

void ExpectBoth(const Arrays& arrays, std::vector<Table> tables, const std::string& expected) {
  std::vector<float> rows = arrays.floats;
  std::vector<PullPart> pull;
  std::vector<PushPart> push;
  for (const Table& table : tables) {
    pull.push_back({table, arrays.keys, rows});
    push.push_back({table, arrays.keys, arrays.floats});
  }
  for (const absl::Status& status : {CheckParts(pull, NameOf), CheckParts(push, NameOf)}) {
    EXPECT_EQ(status.ok(), expected.empty());
    EXPECT_NE(std::string(status.message()).find(expected), std::string::npos) << status;
  }
}

TEST(CheckParts, TakesMatchingShapes) {
  ExpectBoth({}, {kUser}, "");
  ExpectBoth({{}, {}}, {kUser}, "");
  ExpectBoth({}, {}, "");
}

TEST(CheckParts, NamesTheTableWhoseArraysDoNotFit) {
  ExpectBoth({std::vector<Key>(3), std::vector<float>(11)}, {kUser}, "table 'no 11': `");
  ExpectBoth({std::vector<Key>(3), std::vector<float>(11)}, {kUser},
             "has 11 elements; 3 keys of dim 4 need 12");
}

TEST(CheckParts, NamesATableThatIsThereTwice) {
  ExpectBoth({}, {kUser, {TableId(12), Generation(1), 4}, kUser},
             "table 'no 11' is in parts 0 and 2");
}

TEST(CheckGradients, NamesTableKeyAndColumnOfTheFirstThatIsOutOfBounds) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const size_t count : {1, 16, 17, 40}) {  // of rows; blocks end within, and behind, a row
    std::vector<Key> keys;
    for (size_t i = 0; i < count; ++i) keys.push_back(Key(100 + i));
    for (size_t at = 0; at < count * kUser.dim; ++at) {
      std::vector<float> gradients(count * kUser.dim, kGradientAbsMax);
      const PushPart part{kUser, keys, gradients};
      EXPECT_TRUE(CheckGradients({&part, 1}, NameOf).ok());
      for (const float bad :
           {kNan, -kNan, kInfinity, -kInfinity, std::nextafter(-kGradientAbsMax, -kInfinity)}) {
        gradients[at] = bad;
        const absl::Status status = CheckGradients({&part, 1}, NameOf);
        EXPECT_EQ(ReasonOf(status), RefusalReason::kBadGradient);
        const std::string place = "'no 11': key " + std::to_string(100 + at / kUser.dim) +
                                  ", column " + std::to_string(at % kUser.dim) + ":";
        EXPECT_NE(std::string(status.message()).find(place), std::string::npos) << status;
      }
    }
  }
}

TEST(CheckParts, RefusesDimsOutOfBounds) {
  ExpectBoth({}, {{TableId(9), Generation(1), 0}}, "table 'no 9': dim is 0");
  ExpectBoth({}, {{TableId(9), Generation(1), 8193}}, "dim is 8193");
}

TEST(CheckOptions, NamesTheOptionItsValueAndItsBounds) {
  const auto message = [](auto change) {
    ClientOptions options;
    options.servers = {"127.0.0.1:1"};
    change(&options);
    return std::string(CheckOptions(options).message());
  };
  EXPECT_EQ(message([](ClientOptions*) {}), "");
  EXPECT_NE(message([](ClientOptions* o) { o->servers.clear(); }).find("servers"),
            std::string::npos);
  EXPECT_EQ(message([](ClientOptions* o) { o->connect_timeout_ms = 0; }),
            "client option connect_timeout_ms is 0; it must be 1 to 86400000");
  EXPECT_EQ(message([](ClientOptions* o) { o->backoff_min_ms = 3000; }),
            "client option backoff_min_ms is 3000; it must be 1 to 2000");
  EXPECT_NE(message([](ClientOptions* o) { o->requests_in_flight_max = 0; }), "");
  EXPECT_NE(message([](ClientOptions* o) { o->frame_bytes_max = 100; }), "");
  EXPECT_NE(message([](ClientOptions* o) { o->request_timeout_ms = 0; }), "");
}

}  // namespace
}  // namespace rowhouse
