// Power cuts at random moments of pushes, flushes, compactions and trims, over the real RocksDB on
// a file system that loses what was not synced, and a log that does. What comes back must be what
// an oracle has that applied the log in order, and hold every push that was promised to survive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/rocks_disk_tier_internal.h"
#include "storage/row_codec.h"
#include "tests/support/forwarding_log_files.h"
#include "tests/support/power_cut_fs.h"
#include "tests/support/shard_driver.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

// Log files that outlive every start; where asked, their syncs report success and do nothing.
class LogFilesView final : public ForwardingLogFiles {
 public:
  LogFilesView(LogFiles* files, bool swallow_syncs)
      : ForwardingLogFiles(files), swallow_syncs_(swallow_syncs) {}

 private:
  class File final : public ForwardingLogFile {
   public:
    using ForwardingLogFile::ForwardingLogFile;
    absl::Status Sync() override { return absl::OkStatus(); }
  };

  std::unique_ptr<LogFile> Wrap(std::unique_ptr<LogFile> file) override {
    if (!swallow_syncs_) return file;
    return std::make_unique<File>(std::move(file));
  }

  const bool swallow_syncs_;
};

struct CutOptions {
  uint64_t seed = 1;
  int cuts = 12;
  Durability durability = Durability::kFsync;
  bool swallow_log_syncs = false;
  bool swallow_row_syncs = false;
};

class PowerCuts {
 public:
  explicit PowerCuts(const CutOptions& options)
      : options_(options), random_(options.seed), fs_(options.seed), driver_(SmallFlushes()) {
    spec_.name = "t";
    spec_.dim = 3;
    spec_.durability = options.durability;
    spec_.initializer = Initializer::Uniform(-1, 1);
    spec_.adagrad.weight_decay = 0.01;
    fs_.SwallowSyncs(options.swallow_row_syncs);
    driver_.set_files(std::make_unique<LogFilesView>(&files_, options.swallow_log_syncs));
  }

  absl::Status Run() {
    RETURN_IF_ERROR(StartShard());
    Prepare(&driver_);
    if (const absl::Status status = oracle_.Start(); !status.ok()) return status;
    Prepare(&oracle_);
    Push();
    for (int cut = 0; cut < options_.cuts; ++cut) {
      Work();
      CutPower();
      RETURN_IF_ERROR(StartShard());
      RETURN_IF_ERROR(Check());
    }
    return absl::OkStatus();
  }

  uint64_t flushes() const { return flushes_; }
  uint64_t lost_pushes() const { return lost_pushes_; }
  const PowerCutFs& fs() const { return fs_; }

 private:
  static constexpr uint64_t kKeys = 300;

  static ShardDriver::Options SmallFlushes() {
    ShardDriver::Options options;
    options.limits.flush_log_bytes = 4'000;
    options.limits.flush_log_ratio = 0;
    options.limits.flush_step_rows = 40;
    options.limits.flush_file_rows = 60;
    return options;
  }

  uint64_t Below(uint64_t end) { return random_() % end; }

  absl::Status StartShard() {
    auto disk = OpenRocksDiskTier(dir_.path() + "/rows", {.env = fs_.env()});
    RETURN_IF_ERROR(disk.status());
    driver_.set_disk(*std::move(disk));
    RestoreOptions restore(PushLogOptions{.segment_bytes = 8'000});
    restore.threads = static_cast<uint32_t>(Below(3));
    return driver_.Start(restore);
  }

  void Prepare(ShardDriver* driver) {
    driver->Create(spec_);
    driver->Open(ClientId(7), Incarnation(1));
  }

  // Its place in `pushes_` follows from its LSN.
  TestPush NewPush() {
    TestPush push;
    push.sequence = push.unretried_below = Sequence(++sequence_);
    push.step = Step(1 + sequence_ / 3);
    std::vector<Key> keys;
    std::vector<float> gradients;
    const uint64_t first = Below(kKeys);
    for (uint64_t i = 0; i < 1 + Below(60); ++i) {
      keys.push_back(Key((first + i * 7) % kKeys));
      for (uint32_t d = 0; d < spec_.dim; ++d) {
        gradients.push_back(static_cast<float>(Below(2001)) / 1000 - 1);
      }
    }
    if (keys.size() > kKeys / 7) keys.resize(kKeys / 7), gradients.resize(keys.size() * spec_.dim);
    push.sections = {SectionOf(spec_, std::move(keys), std::move(gradients))};
    return push;
  }

  void Push() {
    pushes_.push_back(NewPush());
    NoteReply(driver_.Send(Op::kPush, PushBody(pushes_.back())));
    requests_.push_back(driver_.last_request_id());
  }

  void NoteReply(const Reply& reply) {
    if (!reply.answered || !reply.status.ok()) return;
    acknowledged_ = std::max(acknowledged_, reply.As<PushAnswer>().lsn);
  }

  // Pushes until something breaks, or for a while. Kinds of ends: in the middle of RocksDB's
  // writing, with records written but not synced, with a torn record, at rest.
  void Work() {
    const uint64_t kind = Below(4);
    const uint64_t trouble_at = Below(60);
    for (uint64_t i = 0; i < 60 && !fs_.dead(); ++i) {
      if (i == trouble_at) {
        if (kind == 0) fs_.DieAfter(Below(120));
        if (kind == 1) files_.FailSyncs(true);
        if (kind == 2) files_.TearAppendsAfter(Below(3000));
      }
      if (kind == 1 && i == trouble_at) break;
      driver_.set_run_log_jobs(Below(4) != 0);
      if (driver_.CounterValue("last_lsn") + 1 != kFirstPush + pushes_.size()) break;
      Push();
      if (pushes_.size() + kFirstPush - 1 != driver_.CounterValue("last_lsn")) {
        pushes_.pop_back();  // refused: the log fails
        break;
      }
    }
    if (kind == 1) {
      for (int i = 0; i < 5; ++i) {
        driver_.set_run_log_jobs(false);
        Push();
      }
      driver_.RunJobs();
    }
    flushes_ += driver_.CounterValue("flushes");
  }

  void CutPower() {
    for (const uint64_t request : requests_) NoteReply(driver_.Late(request));
    requests_.clear();
    fs_.Die();
    driver_.Crash();
    driver_.set_disk(nullptr);
    fs_.PowerCut();
    files_.DropUnsynced();
    files_.HealAppends();
    files_.FailSyncs(false);
    driver_.set_run_log_jobs(true);
  }

  absl::Status Check() {
    const uint64_t last = driver_.CounterValue("last_lsn");
    if (options_.durability == Durability::kFsync && last < acknowledged_.value()) {
      return absl::DataLossError(StrCat("acknowledged: LSN ", acknowledged_.value(),
                                        "; the log that came back ends with ", last));
    }
    if (last + 1 < kFirstPush + in_oracle_) {
      return absl::DataLossError(StrCat("an earlier start had LSN ", kFirstPush + in_oracle_ - 1,
                                        ", now the log ends with ", last));
    }
    const uint64_t kept = last + 1 - kFirstPush;
    if (kept > pushes_.size()) return absl::DataLossError("there are records that nobody sent");
    lost_pushes_ += pushes_.size() - kept;
    pushes_.resize(kept);
    acknowledged_ = Lsn(std::min(acknowledged_.value(), last));
    for (; in_oracle_ < kept; ++in_oracle_) {
      const Reply reply = oracle_.Send(Op::kPush, PushBody(pushes_[in_oracle_]));
      if (!reply.answered || !reply.status.ok()) return absl::InternalError("the oracle refused");
    }
    if (Rows(driver_) != Rows(oracle_)) return absl::DataLossError("rows differ from the oracle's");
    return CheckRetry();
  }

  // The last push that came back is known: sent again, it is a duplicate and changes nothing.
  absl::Status CheckRetry() {
    const Reply reply = driver_.Send(Op::kPush, PushBody(pushes_.back()));
    if (!reply.answered || !reply.status.ok() || reply.As<PushAnswer>().duplicate != 1) {
      return absl::DataLossError("a retry was applied a second time");
    }
    return absl::OkStatus();
  }

  // Weights, state, LSN and generation of every row.
  std::map<std::string, std::string> Rows(ShardDriver& driver) const {
    std::map<std::string, std::string> rows;
    for (const auto& table : driver.shard().tables().all()) {
      table->Visit(0, table->row_number_end(), [&](std::byte* row) {
        DiskEntry entry = EncodeRow(table->id(), table->layout(), row);
        rows.emplace(std::move(entry.key), std::move(entry.value));
      });
    }
    return rows;
  }

  static constexpr uint64_t kFirstPush = 3;  // behind the table's and the client's records

  const CutOptions options_;
  std::mt19937_64 random_;
  const TempDir dir_;
  PowerCutFs fs_;
  MemoryLogFiles files_;
  TableSpec spec_;
  ShardDriver driver_;
  ShardDriver oracle_;
  uint64_t sequence_ = 0;
  std::vector<TestPush> pushes_;    // by LSN, from kFirstPush on
  std::vector<uint64_t> requests_;  // that may be answered late
  uint64_t in_oracle_ = 0;
  Lsn acknowledged_;
  uint64_t flushes_ = 0;
  uint64_t lost_pushes_ = 0;
};

TEST(PowerCut, NothingAcknowledgedWithFsyncIsLost) {
  uint64_t flushes = 0;
  uint64_t lost_pushes = 0;
  uint64_t entries_undone = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    PowerCuts cuts({.seed = seed});
    const absl::Status status = cuts.Run();
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status;
    flushes += cuts.flushes();
    lost_pushes += cuts.lost_pushes();
    entries_undone += cuts.fs().entries_undone();
  }
  // The cuts did hurt. RocksDB syncs what it writes before the next step, so what it loses are
  // directory entries.
  EXPECT_GT(flushes, 50u);
  EXPECT_GT(lost_pushes, 10u);
  EXPECT_GT(entries_undone, 50u);
}

TEST(PowerCut, WithDurabilityLogAPrefixOfTheLogComesBack) {
  uint64_t lost_pushes = 0;
  for (uint64_t seed = 101; seed <= 104; ++seed) {
    PowerCuts cuts({.seed = seed, .durability = Durability::kLog});
    const absl::Status status = cuts.Run();
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status;
    lost_pushes += cuts.lost_pushes();
  }
  EXPECT_GT(lost_pushes, 50u);
}

// The checker can say no.
TEST(PowerCut, ALogWhoseSyncsDoNothingIsFoundOut) {
  const absl::Status status = PowerCuts({.seed = 1, .swallow_log_syncs = true}).Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

TEST(PowerCut, RowsWhoseSyncsDoNothingAreFoundOut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_FALSE(PowerCuts({.seed = seed, .swallow_row_syncs = true}).Run().ok());
  }
}

}  // namespace
}  // namespace rowhouse
