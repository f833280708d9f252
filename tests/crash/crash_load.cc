// rowhouse-crash-load: pushes random batches over several tables until SIGTERM, and keeps a journal
// of what was acknowledged. See crash_rounds.py.
//
// The nth push of a life has sequence number n. On SIGTERM it begins no more, waits for what is
// open and ends with exit code 0; with code 1 where a push failed.
#include <glog/logging.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/crash/journal.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

std::atomic<bool> stop_asked = false;

struct LoadOptions {
  std::vector<std::string> servers;
  uint64_t client_id = 1;
  std::string journal;
  uint64_t seed = 1;
  uint32_t in_flight = 8;
  uint32_t rows = 64;
  uint64_t keys = 20000;
  uint32_t tables = 4;
  uint32_t request_timeout_ms = 60000;
  uint64_t pushes_max = 0;
  double pushes_per_second = 0;
  bool pull_only = false;
};

Settings MakeSettings(LoadOptions* options) {
  Settings settings;
  settings.Section("load", "Load");
  settings.TextList("servers", &options->servers, "HOST:PORT", "All servers of the cluster");
  settings.Integer("client_id", &options->client_id, {1, UINT64_MAX}, "",
                   "Identity of the client, the same in every life");
  settings.Text("journal", &options->journal, "FILE", "New file for what is acknowledged");
  settings.Integer("seed", &options->seed, {0, UINT64_MAX}, "", "Of batches");
  settings.Integer("in_flight", &options->in_flight, {1, 1024}, "pushes", "Open at a time");
  settings.Integer("rows", &options->rows, {1, 65536}, "rows", "Most in one table of one push");
  settings.Integer("keys", &options->keys, {64, UINT64_MAX}, "keys", "Of each table");
  settings.Integer("tables", &options->tables, {1, 4}, "tables", "Tables to push to");
  settings.Integer("request_timeout_ms", &options->request_timeout_ms, {1, 3600000}, "ms",
                   "For a push with all its retries");
  settings.Integer("pushes_max", &options->pushes_max, {0, UINT64_MAX}, "pushes",
                   "End after so many; 0: at SIGTERM");
  settings.Number("pushes_per_second", &options->pushes_per_second, {0, 1e9}, "pushes/s",
                  "At most; 0: as many as there can be");
  settings.Switch("pull_only", &options->pull_only,
                  "Read-only: as many pulls as --pushes-max, one after another, and no journal");
  return settings;
}

Program LoadProgram() {
  return {"rowhouse-crash-load",
          ROWHOUSE_VERSION,
          "Pushes random batches and keeps a journal of what was acknowledged.",
          {},
          {"rowhouse-crash-load --servers 127.0.0.1:7600 --client-id 5 --journal acks/5-1"}};
}

// Tables of different dim, optimizer and durability; the last one waits for the disk.
std::vector<TableSpec> Specs(uint32_t count) {
  std::vector<TableSpec> specs(4);
  specs[0] = {"users", 16, 11, Initializer::Uniform(-0.1f, 0.1f)};
  specs[1] = {"items", 8, 12, Initializer::Normal(0, 0.05f)};
  specs[1].adagrad = {0.1, 0.001, 0.01, 0.1, 1e-8};
  specs[2] = {"bias", 1, 13, Initializer::Zeros()};
  specs[3] = {"rare", 5, 14, Initializer::Constant(0.5f)};
  specs[3].durability = Durability::kFsync;
  specs.resize(count);
  return specs;
}

struct Batch {
  std::vector<size_t> tables;
  std::vector<std::vector<Key>> keys;  // one for each table of the push
  std::vector<std::vector<float>> gradients;
};

class Load {
 public:
  Load(const LoadOptions& options, std::optional<JournalWriter> journal)
      : options_(options), journal_(std::move(journal)), random_(options.seed) {}

  absl::Status Connect() {
    ClientOptions options;
    options.servers = options_.servers;
    options.program = "rowhouse-crash-load";
    options.client = ClientId(options_.client_id);
    options.read_only = options_.pull_only;
    options.connect_timeout_ms = 60000;
    options.request_timeout_ms = options_.request_timeout_ms;
    options.backoff_max_ms = 200;
    options.on_acknowledged = [this](const AcknowledgedPart& part) {
      const absl::Status noted = journal_->NoteAcknowledged(part);
      CHECK(noted.ok()) << noted.message();
    };
    ASSIGN_OR_RETURN(client_, Client::Connect(options));
    for (const TableSpec& spec : Specs(options_.tables)) {
      ASSIGN_OR_RETURN(const Table table, client_->CreateTable(spec));
      tables_.push_back(table);
    }
    return absl::OkStatus();
  }

  absl::Status Run() {
    const auto begin = std::chrono::steady_clock::now();
    for (uint64_t n = 1; !stop_asked && (options_.pushes_max == 0 || n <= options_.pushes_max);
         ++n) {
      if (open_.size() == options_.in_flight) RETURN_IF_ERROR(FinishOldest());
      RETURN_IF_ERROR(journal_->NoteBegun(Sequence(n)));
      Push(n);
      if (n % kPullEvery == 0) RETURN_IF_ERROR(PullSome());
      if (options_.pushes_per_second > 0) {
        const std::chrono::duration<double> due(static_cast<double>(n) /
                                                options_.pushes_per_second);
        std::this_thread::sleep_until(begin +
                                      std::chrono::duration_cast<std::chrono::nanoseconds>(due));
      }
    }
    while (!open_.empty()) RETURN_IF_ERROR(FinishOldest());
    return absl::OkStatus();
  }

  absl::Status RunPulls() {
    for (uint64_t n = 0; !stop_asked && n < options_.pushes_max; ++n) RETURN_IF_ERROR(PullSome());
    return absl::OkStatus();
  }

  uint64_t finished() const { return finished_; }

 private:
  static constexpr uint64_t kPullEvery = 8;
  static constexpr size_t kBatches = 32;
  static constexpr uint64_t kPushesPerNewBatch = 8;

  struct Open {
    std::future<absl::Status> done;
    std::shared_ptr<const Batch> batch;
  };

  Key RandomKey() {
    const uint64_t draw = random_();
    if (draw % 512 == 0) return Key(draw % 1024 == 0 ? 0 : UINT64_MAX);
    // Two thirds on few keys, so that pushes of all processes meet.
    const uint64_t range = draw % 3 == 0 ? options_.keys : std::min<uint64_t>(options_.keys, 256);
    return Key(random_() % range);
  }

  std::vector<Key> RandomKeys() {
    std::vector<Key> keys(1 + random_() % options_.rows);
    for (Key& key : keys) key = RandomKey();
    return keys;
  }

  // Any of the tables that wait for the log, and now and then the one that waits for the disk.
  std::vector<size_t> RandomTables() {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < tables_.size(); ++i) {
      if (i == 3 ? random_() % 8 == 0 : random_() % 4 != 0) chosen.push_back(i);
    }
    if (chosen.empty()) chosen.push_back(0);
    return chosen;
  }

  Batch RandomBatch() {
    Batch batch;
    std::uniform_real_distribution<float> gradient(-1, 1);
    batch.tables = RandomTables();
    for (const size_t i : batch.tables) {
      const auto& keys = batch.keys.emplace_back(RandomKeys());
      auto& gradients = batch.gradients.emplace_back(keys.size() * tables_[i].dim);
      for (float& value : gradients) value = gradient(random_);
    }
    return batch;
  }

  // Batches are made anew one by one, but not one for each push: pushing is what counts here.
  std::shared_ptr<const Batch> NextBatch(uint64_t n) {
    if (n % kPushesPerNewBatch == 1 || batches_.size() < kBatches) {
      batches_.push_back(std::make_shared<const Batch>(RandomBatch()));
      if (batches_.size() > kBatches) batches_.pop_front();
    }
    return batches_[random_() % batches_.size()];
  }

  void Push(uint64_t n) {
    std::vector<PushPart> parts;
    const std::shared_ptr<const Batch> batch = NextBatch(n);
    for (size_t i = 0; i < batch->tables.size(); ++i) {
      parts.push_back({tables_[batch->tables[i]], batch->keys[i], batch->gradients[i]});
    }
    open_.push_back({client_->Push(Step(n), parts), batch});
  }

  absl::Status PullSome() {
    const std::vector<Key> keys = RandomKeys();
    std::vector<float> rows(keys.size() * tables_[0].dim);
    RETURN_IF_ERROR(client_->Pull(Step(1), {{tables_[0], keys, rows}}).get());
    const bool finite =
        std::all_of(rows.begin(), rows.end(), [](float x) { return std::isfinite(x); });
    return finite ? absl::OkStatus() : absl::InternalError("pulled a value that is not finite");
  }

  absl::Status FinishOldest() {
    const absl::Status status = open_.front().done.get();
    open_.pop_front();
    finished_ += status.ok();
    return status;
  }

  const LoadOptions options_;
  std::optional<JournalWriter> journal_;  // none where it only pulls
  std::mt19937_64 random_;
  std::unique_ptr<Client> client_;
  std::vector<Table> tables_;
  std::deque<std::shared_ptr<const Batch>> batches_;
  std::deque<Open> open_;
  uint64_t finished_ = 0;
};

absl::Status RunPullsOnly(const LoadOptions& options) {
  Load load(options, std::nullopt);
  RETURN_IF_ERROR(load.Connect());
  return load.RunPulls();
}

absl::Status RunLoad(const LoadOptions& options) {
  if (options.pull_only) return RunPullsOnly(options);
  ASSIGN_OR_RETURN(JournalWriter journal, JournalWriter::Create(options.journal));
  Load load(options, std::move(journal));
  RETURN_IF_ERROR(load.Connect());
  const absl::Status status = load.Run();
  std::cout << "pushes: " << load.finished() << " acknowledged" << std::endl;
  return status;
}

int Main(int argc, char** argv) {
  LoadOptions options;
  Settings settings = MakeSettings(&options);
  const auto parsed = settings.ParseCommandLine(argc, argv, LoadProgram());
  if (!parsed.ok()) {
    std::cerr << parsed.status().message() << "\n";
    return 2;
  }
  if (parsed->answer) {
    std::cout << *parsed->answer;
    return 0;
  }
  signal(SIGTERM, [](int) { stop_asked = true; });
  const absl::Status status = RunLoad(options);
  if (!status.ok()) std::cerr << "rowhouse-crash-load: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  return rowhouse::Main(argc, argv);
}
