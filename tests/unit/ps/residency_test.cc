#include "ps/residency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/row_codec.h"

namespace rowhouse {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TableSpec Spec() {
  TableSpec spec;
  spec.name = "user";
  spec.dim = 2;
  spec.seed = 5;
  spec.initializer = Initializer::Uniform(-1, 1);
  return spec;
}

class ResidencyTest : public testing::Test {
 protected:
  ResidencyTest() {
    for (uint32_t i = 0; i < kSlotCount; ++i) residency_.MarkIncomplete(SlotId(i));
  }

  Residency::Pin Begin(std::vector<Key> keys, uint64_t waiter) {
    kept_.push_back(std::move(keys));
    const RowsOfTable rows{&table_, kept_.back()};
    return residency_.Begin({&rows, 1}, waiter);
  }
  bool Known(std::vector<Key> keys) {
    const RowsOfTable rows{&table_, keys};
    return residency_.AllKnown({&rows, 1});
  }
  void BeforePush(std::vector<Key> keys) {
    const RowsOfTable rows{&table_, keys};
    residency_.BeforePush({&rows, 1});
  }
  // A stored row whose weights are all `weight`.
  std::string Stored(float weight, Generation generation = Generation(1)) {
    TableRows other(Spec(), generation);
    const Key key(1);
    std::byte* row = nullptr;
    other.FindOrCreate({&key, 1}, {&row, 1});
    RowLayout::Header(row).lsn = Lsn(9);
    std::fill_n(RowLayout::Weights(row), 2, weight);
    return EncodeRow(other.id(), other.layout(), row).value;
  }
  // Ends a job with the same answer for each key; the waiters that were told, in order.
  std::vector<uint64_t> Done(const ReadJob& job, std::optional<std::string> value,
                             absl::Status status = absl::OkStatus()) {
    ReadOutcome outcome{job.id, std::move(status), {}};
    if (outcome.status.ok()) outcome.values.assign(job.keys.size(), value);
    arrivals_.clear();
    residency_.Done(outcome, &arrivals_);
    std::vector<uint64_t> waiters;
    for (const auto& arrival : arrivals_) waiters.push_back(arrival.waiter);
    return waiters;
  }
  std::byte* Row(Key key) {
    std::byte* row = nullptr;
    table_.Find({&key, 1}, {&row, 1});
    return row;
  }

  TableRows table_{Spec(), Generation(1)};
  Residency residency_{{.read_job_keys = 3, .read_jobs_max = 2}};
  std::deque<std::vector<Key>> kept_;
  std::vector<Residency::Arrival> arrivals_;
};

TEST_F(ResidencyTest, AnAbsentKeyIsKnownOnlyInACompleteSlot) {
  Residency fresh({1, 1});
  const std::vector<Key> keys = {Key(1)};
  const RowsOfTable rows{&table_, keys};
  EXPECT_TRUE(fresh.AllKnown({&rows, 1}));
  fresh.MarkIncomplete(SlotOf(Fingerprint(table_.id(), Key(1))));
  EXPECT_FALSE(fresh.AllKnown({&rows, 1}));
  EXPECT_EQ(fresh.Unknown(table_, keys), std::vector<uint32_t>{0});
  EXPECT_EQ(fresh.Begin({&rows, 1}, 7).loads, 1u);
}

TEST_F(ResidencyTest, ReadsInJobsOfLimitedSizeAndNumber) {
  EXPECT_EQ(Begin({Key(1), Key(2), Key(3), Key(4), Key(5), Key(6), Key(7)}, 1).loads, 7u);
  const auto first = residency_.NextJob();
  const auto second = residency_.NextJob();
  EXPECT_THAT(first->keys, SizeIs(3));
  EXPECT_THAT(second->keys, SizeIs(3));
  EXPECT_EQ(residency_.NextJob(), std::nullopt);
  Done(*first, std::nullopt);
  EXPECT_THAT(residency_.NextJob()->keys, SizeIs(1));
}

TEST_F(ResidencyTest, ALoadedRowIsCleanAndAsTheDiskHasIt) {
  Begin({Key(4)}, 11);
  EXPECT_EQ(Done(*residency_.NextJob(), Stored(3)), std::vector<uint64_t>{11});
  std::byte* const row = Row(Key(4));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(RowLayout::Header(row).lsn, Lsn(9));
  EXPECT_EQ(RowLayout::Header(row).flags & (kRowDirty | kRowReferenced), 0u);
  EXPECT_EQ(RowLayout::Weights(row)[1], 3);
  EXPECT_TRUE(Known({Key(4)}));
}

TEST_F(ResidencyTest, ASecondReaderJoinsTheFirst) {
  EXPECT_EQ(Begin({Key(4)}, 11).loads, 1u);
  const auto job = residency_.NextJob();
  EXPECT_EQ(Begin({Key(4), Key(5)}, 12).loads, 2u);
  EXPECT_EQ(residency_.NextJob()->keys,
            std::vector<std::string>{EncodeRowKey(table_.id(), Key(5))});
  EXPECT_EQ(Done(*job, Stored(3)), (std::vector<uint64_t>{11, 12}));
  EXPECT_EQ(residency_.misses(), 2u);
}

TEST_F(ResidencyTest, EveryoneWhoWaitsIsToldOnceInTheOrderOfComing) {
  for (uint64_t waiter = 11; waiter <= 14; ++waiter) Begin({Key(4)}, waiter);
  EXPECT_EQ(Done(*residency_.NextJob(), std::nullopt), (std::vector<uint64_t>{11, 12, 13, 14}));
  Begin({Key(5)}, 15);
  EXPECT_EQ(Done(*residency_.NextJob(), std::nullopt), std::vector<uint64_t>{15});
}

TEST_F(ResidencyTest, AbsentKeysCountAmongWhatAPinKeeps) {
  const uint64_t stride = table_.layout().stride_bytes();
  const Key present(1);
  std::byte* row = nullptr;
  table_.FindOrCreate({&present, 1}, {&row, 1});
  const auto of_row = Begin({present}, 1);
  EXPECT_EQ(residency_.pinned_bytes(), stride);
  const auto of_absent = Begin({Key(2), Key(3)}, 2);
  EXPECT_EQ(residency_.pinned_bytes(), 3 * stride + residency_.used_bytes());
  EXPECT_GT(residency_.used_bytes(), 0u);
  residency_.End(of_row.id);
  residency_.End(of_absent.id);
  EXPECT_EQ(residency_.pinned_bytes(), 0u);
}

TEST_F(ResidencyTest, AKeyFoundOnNoDiskStaysKnownWhilePinned) {
  const auto pin = Begin({Key(4)}, 11);
  Done(*residency_.NextJob(), std::nullopt);
  const auto other = Begin({Key(4)}, 12);
  EXPECT_EQ(other.loads, 0u);
  residency_.End(pin.id);
  EXPECT_EQ(Begin({Key(4)}, 13).loads, 0u);
  residency_.End(other.id);
  residency_.End(other.id + 1);
  EXPECT_EQ(residency_.used_bytes(), 0u);
  EXPECT_EQ(Begin({Key(4)}, 14).loads, 1u);
}

TEST_F(ResidencyTest, ARowOfAGenerationThatIsGoneCountsAsAbsent) {
  Begin({Key(4)}, 11);
  Done(*residency_.NextJob(), Stored(3, Generation(7)));
  EXPECT_EQ(Row(Key(4)), nullptr);
  EXPECT_TRUE(arrivals_[0].status.ok());
}

TEST_F(ResidencyTest, AFailedReadTellsAllWhoWaitAndIsTriedAgainByTheNext) {
  Begin({Key(4)}, 11);
  const auto job = residency_.NextJob();
  Begin({Key(4)}, 12);
  EXPECT_EQ(Done(*job, {}, absl::UnavailableError("no disk")), (std::vector<uint64_t>{11, 12}));
  EXPECT_EQ(arrivals_[1].status.message(), "no disk");
  EXPECT_EQ(Begin({Key(4)}, 13).loads, 1u);
  EXPECT_EQ(Done(*residency_.NextJob(), Stored(3)), std::vector<uint64_t>{13});
}

TEST_F(ResidencyTest, ADamagedRowIsAFailedReadAndLeavesNoRow) {
  Begin({Key(4)}, 11);
  Done(*residency_.NextJob(), Stored(3).substr(0, 20));
  EXPECT_FALSE(arrivals_[0].status.ok());
  EXPECT_EQ(Row(Key(4)), nullptr);
}

TEST_F(ResidencyTest, WhatNobodyWaitsForAnyMoreIsNotRead) {
  const auto pin = Begin({Key(1), Key(2)}, 11);
  residency_.End(pin.id);
  EXPECT_EQ(residency_.NextJob(), std::nullopt);
  EXPECT_EQ(residency_.used_bytes(), 0u);
}

TEST_F(ResidencyTest, ARowIsPinnedUntilTheOldestPinThatMayNeedItIsGone) {
  std::byte* row = nullptr;
  const Key key(4);
  table_.FindOrCreate({&key, 1}, {&row, 1});
  const RowHeader& header = RowLayout::Header(row);
  EXPECT_FALSE(residency_.IsPinned(header));
  const auto first = Begin({Key(9)}, 1);
  EXPECT_FALSE(residency_.IsPinned(header));
  const auto second = Begin({key}, 2);
  EXPECT_TRUE(residency_.IsPinned(header));
  residency_.End(second.id);
  EXPECT_TRUE(residency_.IsPinned(header)) << "a little longer than it must";
  residency_.End(first.id);
  EXPECT_FALSE(residency_.IsPinned(header));
  EXPECT_EQ(residency_.pinned_bytes(), 0u);
}

TEST_F(ResidencyTest, ARowMadeByAPushIsPinnedForThoseWhoKnewItAsAbsent) {
  const auto pull = Begin({Key(4)}, 1);
  Done(*residency_.NextJob(), std::nullopt);
  BeforePush({Key(4), Key(5)});
  ASSERT_NE(Row(Key(4)), nullptr);
  EXPECT_EQ(Row(Key(5)), nullptr);
  EXPECT_TRUE(residency_.IsPinned(RowLayout::Header(Row(Key(4)))));
  residency_.End(pull.id);
  EXPECT_FALSE(residency_.IsPinned(RowLayout::Header(Row(Key(4)))));
}

TEST_F(ResidencyTest, PinsBeyondTheStampsWidthStillPin) {
  std::byte* row = nullptr;
  const Key key(4);
  table_.FindOrCreate({&key, 1}, {&row, 1});
  for (uint64_t i = 0; i < kRowPinCount - 3; ++i) residency_.End(Begin({}, 1).id);
  for (int i = 0; i < 8; ++i) {
    const auto pin = Begin({key}, 2);
    EXPECT_TRUE(residency_.IsPinned(RowLayout::Header(row))) << pin.id;
    residency_.End(pin.id);
    EXPECT_FALSE(residency_.IsPinned(RowLayout::Header(row))) << pin.id;
  }
}

}  // namespace
}  // namespace rowhouse
