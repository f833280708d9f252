// A disk that takes its time, with files of rows or with freeing what was removed, must hold up
// nobody who waits for the push log.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "common/status_macros.h"
#include "ps/net/server.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"
#include "tests/support/forwarding_disk_tier.h"
#include "tests/support/forwarding_log_files.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

// Who passes waits while it is closed.
class Gate {
 public:
  void Close() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  bool AwaitWaiting() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [this] { return waiting_ > 0; });
  }

 private:
  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int waiting_ = 0;
};

class GatedDisk final : public ForwardingDiskTier {
 public:
  explicit GatedDisk(Gate* gate, std::unique_ptr<DiskTier> tier = MakeMemoryDiskTier())
      : ForwardingDiskTier(tier.get()), gate_(gate), owned_(std::move(tier)) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    gate_->Pass();
    return tier().Ingest(entries);
  }

 private:
  Gate* const gate_;
  const std::unique_ptr<DiskTier> owned_;
};

// The bytes of removed files are gone once the gate was passed.
class GatedLogFiles final : public ForwardingLogFiles {
 public:
  explicit GatedLogFiles(Gate* gate, std::unique_ptr<LogFiles> files = MakeFiles())
      : ForwardingLogFiles(files.get()), gate_(gate), owned_(std::move(files)) {}

  absl::StatusOr<RemovedFile> Remove(std::string_view name) override {
    ASSIGN_OR_RETURN(RemovedFile bytes, ForwardingLogFiles::Remove(name));
    return RemovedFile(nullptr, [gate = gate_, bytes](const void*) { gate->Pass(); });
  }

 private:
  static std::unique_ptr<LogFiles> MakeFiles() { return std::make_unique<MemoryLogFiles>(); }

  Gate* const gate_;
  const std::unique_ptr<LogFiles> owned_;
};

// A server whose disk has two gates, and a client of it. Each push is a segment, and flushed.
class SlowDisk : public testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.io_threads = 1;
    options.log.segment_bytes = 1;
    options.limits.flush_log_bytes = 1;
    options.limits.flush_log_ratio = 0;
    options.open_storage = [this](const ShardIdentity& identity) -> absl::StatusOr<ShardStorage> {
      ShardStorage storage;
      storage.identity = identity;
      storage.disk = std::make_unique<GatedDisk>(&rows_gate_);
      storage.files = std::make_unique<GatedLogFiles>(&removals_gate_);
      return storage;
    };
    auto server = Server::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ClientOptions client_options;
    client_options.servers = server_->endpoints();
    client_options.request_timeout_ms = 5000;
    auto client = Client::Connect(client_options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    TableSpec spec;
    spec.name = "t";
    spec.dim = 1;
    spec.durability = Durability::kFsync;
    const auto table = client_->CreateTable(spec);
    ASSERT_TRUE(table.ok()) << table.status();
    table_ = *table;
  }
  void TearDown() override {
    rows_gate_.Open();
    removals_gate_.Open();
    client_.reset();
    ASSERT_NE(server_, nullptr);
    EXPECT_TRUE(server_->Stop().ok());
  }

  absl::Status Push(uint64_t step) {
    const Key key(step);
    const float gradient = 1;
    return client_->Push(Step(step), {{table_, {&key, 1}, {&gradient, 1}}}).get();
  }
  void ExpectMorePushesAcknowledged() {
    for (uint64_t step = 2; step <= 5; ++step) {
      const absl::Status pushed = Push(step);
      ASSERT_TRUE(pushed.ok()) << pushed;
    }
  }

  Gate rows_gate_;
  Gate removals_gate_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  Table table_;
};

TEST_F(SlowDisk, PushesAreAcknowledgedWhileAFileOfRowsIsUnderWay) {
  rows_gate_.Close();
  ASSERT_TRUE(Push(1).ok());
  ASSERT_TRUE(rows_gate_.AwaitWaiting()) << "no flush began";
  ExpectMorePushesAcknowledged();
}

TEST_F(SlowDisk, PushesAreAcknowledgedWhileATrimmedSegmentIsFreed) {
  removals_gate_.Close();
  ASSERT_TRUE(Push(1).ok());
  ASSERT_TRUE(removals_gate_.AwaitWaiting()) << "nothing was trimmed";
  ExpectMorePushesAcknowledged();
}

}  // namespace
}  // namespace rowhouse
