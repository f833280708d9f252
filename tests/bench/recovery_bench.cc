// rowhouse-bench recovery: how fast one shard comes back, with rows in RocksDB and a push log above
// the watermark, both made here by pushes.
//
// The shard is started several times over the same files, in this process, as a server starts it.
// Each start must give the same rows, to the last bit.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>
#include <random>

#include "absl/strings/str_format.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/restore_report.h"
#include "storage/posix_log_files.h"
#include "storage/rocks_disk_tier.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/machine.h"
#include "tests/support/shard_driver.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

struct RecoveryOptions {
  uint64_t rows = 1000000;
  uint64_t log_rows = 2000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  uint32_t rounds = 3;
  uint32_t threads = kRestoreThreads;
  bool cold = false;
  std::string data_dir;
  std::string json_file;
};

Settings MakeSettings(RecoveryOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rows", &options->rows, {1, 1ull << 32}, "rows", "Rows in the disk tier");
  settings.Integer("log_rows", &options->log_rows, {1, 1ull << 32}, "rows",
                   "Rows of the pushes in the log above the watermark, rounded up to whole pushes");
  settings.Integer("dim", &options->dim, {1, kDimMax}, "floats", "Length of a row");
  settings.Integer("batch_rows", &options->batch_rows, {1, 1 << 20}, "rows", "Rows in a push");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "starts", "Starts over the same files");
  settings.Integer("threads", &options->threads, {0, 64}, "threads",
                   "Readers beside the shard's thread");
  settings.Switch("cold", &options->cold,
                  "Ask the system to forget the files before each start, so that the disk counts");
  settings.Text("data_dir", &options->data_dir, "DIR",
                "Where the files go; by default a temporary directory");
  settings.Text("json", &options->json_file, "FILE", "Write the results as JSON too");
  return settings;
}

Program RecoveryProgram() {
  return {"rowhouse-bench recovery",
          ROWHOUSE_VERSION,
          "Measures how fast a shard's start loads rows and replays the log.",
          {},
          {"rowhouse-bench recovery --rows 1000000 --dim 64 --json recovery.json"}};
}

double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Start {
  RestoreProgress done;
  double rows_seconds = 0;
  double log_seconds = 0;

  double total() const { return rows_seconds + log_seconds; }
  double rows_rate() const { return static_cast<double>(done.rows) / rows_seconds; }
  double log_rate() const { return static_cast<double>(done.record_rows) / log_seconds; }
};

class RecoveryBench {
 public:
  explicit RecoveryBench(RecoveryOptions options)
      : options_(std::move(options)), driver_(NoFlushes()) {
    if (options_.data_dir.empty()) options_.data_dir = temp_dir_.path() + "/shard";
    spec_.name = "bench";
    spec_.dim = options_.dim;
    spec_.durability = Durability::kLog;
    spec_.initializer = Initializer::Uniform(-0.1f, 0.1f);
  }

  absl::Status Run() {
    RETURN_IF_ERROR(MakeData());
    for (uint32_t round = 0; round < options_.rounds; ++round) RETURN_IF_ERROR(RunRound(round));
    Print();
    return options_.json_file.empty() ? absl::OkStatus() : WriteJson();
  }

 private:
  static ShardDriver::Options NoFlushes() {
    ShardDriver::Options options;
    options.limits.flush_log_bytes = ~uint64_t{0};
    options.limits.keys_per_request_max = ~uint64_t{0};
    return options;
  }

  absl::Status Open(const RestoreOptions& restore) {
    ASSIGN_OR_RETURN(auto disk, OpenRocksDiskTier(options_.data_dir + "/rows"));
    ASSIGN_OR_RETURN(auto files, OpenPosixLogFiles(options_.data_dir + "/log"));
    driver_.set_disk(std::move(disk));
    driver_.set_files(std::move(files));
    return driver_.Start(restore);
  }

  void Close() {
    driver_.Crash();
    driver_.set_disk(nullptr);
    driver_.set_files(nullptr);
  }

  absl::Status MakeData() {
    RETURN_IF_ERROR(Open(RestoreOptions()));
    if (driver_.CounterValue("rows") > 0) {
      return absl::FailedPreconditionError(
          StrCat("'", options_.data_dir, "' holds rows already: choose another --data-dir"));
    }
    driver_.Create(spec_);
    driver_.Open(ClientId(7), Incarnation(1));
    std::vector<Key> keys(options_.rows);
    std::iota(reinterpret_cast<uint64_t*>(keys.data()),
              reinterpret_cast<uint64_t*>(keys.data() + keys.size()), uint64_t{0});
    std::mt19937_64 random(1);
    std::shuffle(keys.begin(), keys.end(), random);
    RETURN_IF_ERROR(PushAll(keys, keys.size(), "pushing rows"));
    const double began = SecondsNow();
    if (!driver_.Stop()) return absl::InternalError("the rows could not be flushed");
    flush_seconds_ = SecondsNow() - began;
    std::cerr << "flushed " << options_.rows
              << " rows: " << RateText(options_.rows, flush_seconds_, "rows") << "\n";
    Close();
    RETURN_IF_ERROR(Open(RestoreOptions()));
    std::shuffle(keys.begin(), keys.end(), random);
    RETURN_IF_ERROR(PushAll(keys, options_.log_rows, "pushing the log"));
    Close();
    return absl::OkStatus();
  }

  // Batches of unique keys, over and over.
  absl::Status PushAll(const std::vector<Key>& keys, uint64_t rows, const char* what) {
    const uint64_t batch = std::min<uint64_t>(options_.batch_rows, keys.size());
    uint64_t at = 0;
    for (uint64_t pushed = 0; pushed < rows; pushed += batch) {
      const uint64_t count = rows >= keys.size() ? batch : std::min(batch, rows - pushed);
      TestPush push;
      push.sequence = push.unretried_below = Sequence(++sequence_);
      std::vector<Key> some;
      for (uint64_t i = 0; i < count; ++i) some.push_back(keys[(at + i) % keys.size()]);
      at += count;
      std::vector<float> gradients(count * options_.dim);
      for (size_t i = 0; i < gradients.size(); ++i) {
        gradients[i] = static_cast<float>((i + sequence_) % 17) / 16 - 0.5f;
      }
      push.sections = {SectionOf(spec_, std::move(some), std::move(gradients))};
      const Reply reply = driver_.Send(Op::kPush, PushBody(push));
      if (!reply.answered || !reply.status.ok()) {
        return absl::InternalError(StrCat("a push was not taken: ", reply.status.message()));
      }
      if (sequence_ % 64 == 0) std::cerr << "\r" << what << ": " << pushed << " of " << rows;
    }
    std::cerr << "\r" << what << ": " << rows << " of " << rows << "\n";
    return absl::OkStatus();
  }

  absl::Status RunRound(uint32_t number) {
    if (options_.cold) ForgetFiles();
    Start round;
    RestoreReport report(StrCat("start ", number + 1, " of ", options_.rounds), SecondsNow,
                         [](std::string_view line) { std::cerr << line << "\n"; });
    double phase_began = SecondsNow();
    RestoreProgress::Phase phase = RestoreProgress::Phase::kRows;
    RestoreOptions restore;
    restore.threads = options_.threads;
    restore.observe = [&](const RestoreProgress& progress) {
      report.Note(progress);
      round.done = progress;
      if (progress.phase == phase) return;
      (phase == RestoreProgress::Phase::kRows ? round.rows_seconds : round.log_seconds) =
          SecondsNow() - phase_began;
      phase_began = SecondsNow();
      phase = progress.phase;
    };
    RETURN_IF_ERROR(Open(restore));
    const uint64_t hash = HashOfRows();
    Close();
    if (!rounds_.empty() && hash != hash_) {
      return absl::DataLossError("two starts over the same files gave different rows");
    }
    hash_ = hash;
    if (round.done.rows != options_.rows || round.done.record_rows < options_.log_rows) {
      return absl::DataLossError(StrCat("came back: ", round.done.rows, " rows and ",
                                        round.done.record_rows, " rows in records"));
    }
    rounds_.push_back(round);
    return absl::OkStatus();
  }

  // Does not depend on the order in which rows were loaded.
  uint64_t HashOfRows() const {
    uint64_t sum = 0;
    for (const auto& table : driver_.tables().all()) {
      const RowLayout& layout = table->layout();
      table->Visit(0, table->row_number_end(), [&](std::byte* row) {
        const uint64_t key = RowLayout::Header(row).key.value();
        const std::span<const std::byte> values(
            reinterpret_cast<const std::byte*>(RowLayout::Weights(row)), layout.value_bytes());
        sum += Checksum(values) ^ (key * 0x9E3779B97F4A7C15ull);
      });
    }
    return sum;
  }

  void ForgetFiles() const {
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(options_.data_dir, ignored)) {
      const int fd = ::open(entry.path().c_str(), O_RDONLY);
      if (fd < 0) continue;
      ::fdatasync(fd);
      ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
      ::close(fd);
    }
  }

  template <typename Value>
  double Median(Value value) const {
    std::vector<double> values;
    for (const Start& round : rounds_) values.push_back(value(round));
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }

  void Print() const {
    const MachineFacts machine = ReadMachineFacts(options_.data_dir);
    std::cout << absl::StrFormat(
        "%s, %d cpus, Linux %s; build %s\n%d rows of dim %d in the disk tier, %d rows of pushes in "
        "the log, %d readers, files %s\n",
        machine.cpu, machine.cpus, machine.kernel, machine.build, options_.rows, options_.dim,
        rounds_.front().done.record_rows, options_.threads,
        options_.cold ? "not in the page cache" : "in the page cache");
    std::cout << "start     rows loaded/s  rows replayed/s   load s  replay s  total s\n";
    for (size_t i = 0; i < rounds_.size(); ++i) {
      const Start& round = rounds_[i];
      std::cout << absl::StrFormat("%-8d %12.2f M %14.2f M %8.2f %9.2f %8.2f\n", i + 1,
                                   round.rows_rate() / 1e6, round.log_rate() / 1e6,
                                   round.rows_seconds, round.log_seconds, round.total());
    }
    std::cout << absl::StrFormat("median   %12.2f M %14.2f M %8s %9s %8.2f\n",
                                 Median([](const Start& r) { return r.rows_rate(); }) / 1e6,
                                 Median([](const Start& r) { return r.log_rate(); }) / 1e6, "", "",
                                 Median([](const Start& r) { return r.total(); }));
  }

  absl::Status WriteJson() const {
    const MachineFacts machine = ReadMachineFacts(options_.data_dir);
    boost::json::array rounds;
    for (const Start& round : rounds_) {
      rounds.push_back({{"rows_loaded_per_second", round.rows_rate()},
                        {"rows_replayed_per_second", round.log_rate()},
                        {"load_seconds", round.rows_seconds},
                        {"replay_seconds", round.log_seconds},
                        {"total_seconds", round.total()}});
    }
    const boost::json::object json = {
        {"machine",
         {{"cpu", machine.cpu},
          {"cpus", machine.cpus},
          {"kernel", machine.kernel},
          {"build", machine.build}}},
        {"settings",
         {{"rows", options_.rows},
          {"log_rows", rounds_.front().done.record_rows},
          {"dim", options_.dim},
          {"batch_rows", options_.batch_rows},
          {"threads", options_.threads},
          {"cold", options_.cold}}},
        {"rows_loaded_per_second", Median([](const Start& r) { return r.rows_rate(); })},
        {"rows_replayed_per_second", Median([](const Start& r) { return r.log_rate(); })},
        {"total_seconds", Median([](const Start& r) { return r.total(); })},
        {"rows_flushed_per_second", static_cast<double>(options_.rows) / flush_seconds_},
        {"rows_hash", absl::StrFormat("%016x", hash_)},
        {"rounds", std::move(rounds)}};
    std::ofstream out(options_.json_file);
    out << boost::json::serialize(json) << "\n";
    if (out.flush()) return absl::OkStatus();
    return absl::UnavailableError(StrCat("cannot write '", options_.json_file, "': see --json"));
  }

  RecoveryOptions options_;
  const TempDir temp_dir_;
  TableSpec spec_;
  ShardDriver driver_;
  uint64_t sequence_ = 0;
  double flush_seconds_ = 0;
  uint64_t hash_ = 0;
  std::vector<Start> rounds_;
};

}  // namespace

int RunRecoveryBench(int argc, char** argv) {
  RecoveryOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, RecoveryProgram(),
                         [&] { return RecoveryBench(std::move(options)).Run(); });
}

}  // namespace rowhouse
