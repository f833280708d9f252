// A disk tier that takes its time must hold up nobody who waits for the push log.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "ps/net/server.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"
#include "tests/support/forwarding_disk_tier.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

// Files that are ingested wait while it is closed.
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

TEST(SlowDisk, PushesAreAcknowledgedWhileAFileOfRowsIsUnderWay) {
  Gate gate;
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.io_threads = 1;
  options.limits.flush_log_bytes = 1;
  options.limits.flush_log_ratio = 0;
  options.open_storage = [&gate](const ShardIdentity& identity) -> absl::StatusOr<ShardStorage> {
    ShardStorage storage;
    storage.identity = identity;
    storage.disk = std::make_unique<GatedDisk>(&gate);
    storage.files = std::make_unique<MemoryLogFiles>();
    return storage;
  };
  auto server = Server::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  ClientOptions client_options;
  client_options.servers = (*server)->endpoints();
  client_options.request_timeout_ms = 5000;
  auto client = Client::Connect(client_options);
  ASSERT_TRUE(client.ok()) << client.status();
  TableSpec spec;
  spec.name = "t";
  spec.dim = 1;
  spec.durability = Durability::kFsync;
  const auto table = (*client)->CreateTable(spec);
  ASSERT_TRUE(table.ok()) << table.status();
  const auto push = [&](uint64_t step) {
    const Key key(step);
    const float gradient = 1;
    return (*client)->Push(Step(step), {{*table, {&key, 1}, {&gradient, 1}}}).get();
  };

  gate.Close();
  ASSERT_TRUE(push(1).ok());
  const bool waits = gate.AwaitWaiting();
  EXPECT_TRUE(waits) << "no flush began";
  for (uint64_t step = 2; step <= 5; ++step) {
    const absl::Status pushed = push(step);
    EXPECT_TRUE(pushed.ok()) << pushed;
    if (!pushed.ok()) break;
  }
  gate.Open();
  client->reset();
  EXPECT_TRUE((*server)->Stop().ok());
}

}  // namespace
}  // namespace rowhouse
