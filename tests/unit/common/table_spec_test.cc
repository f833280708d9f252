#include "common/table_spec.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "common/refusal.h"

namespace rowhouse {
namespace {

TableSpec Good() {
  TableSpec spec;
  spec.name = "user";
  spec.dim = 64;
  spec.initializer = Initializer::Uniform(-0.1f, 0.1f);
  return spec;
}

using Change = std::function<void(TableSpec*)>;

TableSpec With(const Change& change) {
  TableSpec spec = Good();
  change(&spec);
  return spec;
}

TEST(TableSpec, TakesEveryValueAtItsBounds) {
  const std::vector<Change> changes = {
      [](TableSpec*) {},
      [](TableSpec* s) { s->name = std::string(kTableNameBytesMax, 'x'); },
      [](TableSpec* s) { s->dim = 1; },
      [](TableSpec* s) { s->dim = kDimMax; },
      [](TableSpec* s) { s->initializer = Initializer::Uniform(1, 1); },
      [](TableSpec* s) { s->initializer = Initializer::Normal(-1e6f, 0); },
      [](TableSpec* s) { s->adagrad.lr = 0; },
      [](TableSpec* s) { s->adagrad.lr = 1e6; },
      [](TableSpec* s) { s->adagrad.eps = 1e-30; },
      [](TableSpec* s) { s->durability = Durability::kFsync; },
  };
  for (const Change& change : changes) EXPECT_TRUE(Validate(With(change)).ok());
}

struct BadCase {
  const char* named;  // what the message must name
  Change change;
};

TEST(TableSpec, RefusesValuesOutOfBoundsByName) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<BadCase> cases = {
      {"name is empty", [](TableSpec* s) { s->name = ""; }},
      {"129 bytes", [](TableSpec* s) { s->name = std::string(129, 'x'); }},
      {"byte 32", [](TableSpec* s) { s->name = "a b"; }},
      {"byte 39", [](TableSpec* s) { s->name = "a'b"; }},
      {"byte 195", [](TableSpec* s) { s->name = "\xc3\xa4"; }},
      {"dim is 0", [](TableSpec* s) { s->dim = 0; }},
      {"dim is 8193", [](TableSpec* s) { s->dim = kDimMax + 1; }},
      {"initializer kind 9",
       [](TableSpec* s) { s->initializer.kind = static_cast<InitializerKind>(9); }},
      {"+-1e6", [](TableSpec* s) { s->initializer = Initializer::Constant(2e6f); }},
      {"+-1e6", [nan](TableSpec* s) { s->initializer.b = static_cast<float>(nan); }},
      {"above high", [](TableSpec* s) { s->initializer = Initializer::Uniform(1, 0); }},
      {"stddev", [](TableSpec* s) { s->initializer = Initializer::Normal(0, -1); }},
      {"optimizer 0", [](TableSpec* s) { s->optimizer = static_cast<OptimizerKind>(0); }},
      {"durability 3", [](TableSpec* s) { s->durability = static_cast<Durability>(3); }},
      {"lr is -1", [](TableSpec* s) { s->adagrad.lr = -1; }},
      {"lr is nan", [nan](TableSpec* s) { s->adagrad.lr = nan; }},
      {"lr_decay", [](TableSpec* s) { s->adagrad.lr_decay = 1e7; }},
      {"weight_decay", [](TableSpec* s) { s->adagrad.weight_decay = -1e-9; }},
      {"initial_accumulator_value",
       [](TableSpec* s) { s->adagrad.initial_accumulator_value = 1e31; }},
      {"eps is 0", [](TableSpec* s) { s->adagrad.eps = 0; }},
  };
  for (const BadCase& bad : cases) {
    const absl::Status status = Validate(With(bad.change));
    EXPECT_EQ(ReasonOf(status), RefusalReason::kBadTableSpec) << bad.named;
    EXPECT_NE(std::string(status.message()).find(bad.named), std::string::npos) << status;
  }
}

struct Difference {
  const char* message;
  Change change;
};

TEST(TableSpec, ConflictsNameFieldAndBothValues) {
  const std::vector<Difference> differences = {
      {"dim is 64 on the server, 32 in this request", [](TableSpec* s) { s->dim = 32; }},
      {"seed is 0 on the server, 5 in this request", [](TableSpec* s) { s->seed = 5; }},
      {"initializer is uniform", [](TableSpec* s) { s->initializer = Initializer::Zeros(); }},
      {"lr is 0.01", [](TableSpec* s) { s->adagrad.lr = 0.02; }},
      {"lr_decay is 0 ", [](TableSpec* s) { s->adagrad.lr_decay = 1; }},
      {"weight_decay is 0 ", [](TableSpec* s) { s->adagrad.weight_decay = 1; }},
      {"initial_accumulator_value is 0 ",
       [](TableSpec* s) { s->adagrad.initial_accumulator_value = 1; }},
      {"eps is 1e-10", [](TableSpec* s) { s->adagrad.eps = 1e-8; }},
      {"durability is log on the server, fsync in this request",
       [](TableSpec* s) { s->durability = Durability::kFsync; }},
      {"name is user", [](TableSpec* s) { s->name = "item"; }},
  };
  EXPECT_TRUE(CheckSameSpec(Good(), Good()).ok());
  for (const Difference& difference : differences) {
    const absl::Status status = CheckSameSpec(Good(), With(difference.change));
    EXPECT_EQ(ReasonOf(status), RefusalReason::kTableConflict);
    const std::string message(status.message());
    EXPECT_NE(message.find("table 'user'"), std::string::npos) << message;
    EXPECT_NE(message.find(difference.message), std::string::npos) << message;
  }
}

TEST(TableSpec, ConflictsShowValuesThatDifferInTheLastBit) {
  const double next = std::nextafter(0.01, 1);
  const absl::Status status =
      CheckSameSpec(Good(), With([&](TableSpec* s) { s->adagrad.lr = next; }));
  EXPECT_EQ(ReasonOf(status), RefusalReason::kTableConflict) << status;
}

// Ids are on disks: they never change.
TEST(TableId, IsPinned) {
  EXPECT_EQ(TableIdOf("user"), TableId(0x99e389d25c10af32));
  EXPECT_EQ(TableIdOf("item"), TableId(0x6ca8f7b0f03f9e41));
  EXPECT_EQ(TableIdOf("global_bias"), TableId(0x0aba44e7f5421c63));
}

TEST(TableSpec, KindsHaveNames) {
  EXPECT_EQ(InitializerKindName(InitializerKind::kNormal), "normal");
  EXPECT_EQ(InitializerKindName(static_cast<InitializerKind>(200)), "unknown");
  EXPECT_EQ(DurabilityName(Durability::kMemory), "memory");
  EXPECT_EQ(DurabilityName(static_cast<Durability>(200)), "unknown");
}

}  // namespace
}  // namespace rowhouse
