// How a server ends when its disk does not let it.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/refusal.h"
#include "ps/net/server.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"
#include "tests/integration/raw_client.h"
#include "tests/support/frames.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

TableSpec Spec() {
  TableSpec spec;
  spec.name = "t";
  spec.dim = 1;
  return spec;
}

class FailingDisk : public testing::Test {
 protected:
  void SetUp() override {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.stop_timeout_ms = 300;
    options.retry_ms = 5;
    options.open_storage = [this](const ShardIdentity& identity) -> absl::StatusOr<ShardStorage> {
      ShardStorage storage;
      storage.identity = identity;
      storage.disk = MakeMemoryDiskTier();
      auto files = std::make_unique<MemoryLogFiles>();
      files_ = files.get();
      storage.files = std::move(files);
      return storage;
    };
    auto server = Server::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ClientOptions client_options;
    client_options.servers = server_->endpoints();
    client_options.request_timeout_ms = 200;
    auto client = Client::Connect(client_options);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    const auto table = client_->CreateTable(Spec());
    ASSERT_TRUE(table.ok()) << table.status();
    table_ = *table;
  }

  absl::Status Push(uint64_t step) {
    const Key key(step);
    const float gradient = 1;
    return client_->Push(Step(step), {{table_, {&key, 1}, {&gradient, 1}}}).get();
  }

  MemoryLogFiles* files_ = nullptr;  // owned by the server
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  Table table_;
};

TEST_F(FailingDisk, DoesNotHoldUpAStopForEver) {
  ASSERT_TRUE(Push(1).ok());
  files_->SetDiskBytesMax(0);
  EXPECT_FALSE(Push(2).ok());
  const absl::Status stopped = server_->Stop();
  const std::string text(stopped.message());
  EXPECT_NE(text.find("shard 0: not everything could be written within 300 ms"), text.npos) << text;
  EXPECT_NE(text.find("writing push log failed"), text.npos) << text;
}

TEST_F(FailingDisk, ThatHealsInTimeCostsAStopNothing) {
  files_->SetDiskBytesMax(0);
  EXPECT_FALSE(Push(1).ok());
  files_->SetDiskBytesMax(1 << 30);
  EXPECT_TRUE(server_->Stop().ok());
}

// Pipelined pushes: were the second taken after the first was refused, they would change places.
TEST_F(FailingDisk, EndsAConnectionWithItsFirstPushThatIsToBeSentAgain) {
  files_->SetDiskBytesMax(0);
  EXPECT_FALSE(Push(1).ok());
  auto raw = RawClient::Greet(server_->endpoints()[0], ShardId(0));
  ASSERT_TRUE(raw.ok()) << raw.status();
  const std::vector<std::byte> open = EncodeControl(OpenClient{ClientId(9), Incarnation(1)});
  ASSERT_TRUE(raw->Send(MakeFrame(Op::kOpenClient, 1, open)).ok());
  ASSERT_TRUE(raw->Send(MakeFrame(Op::kOpenClient, 2, open)).ok());
  const auto refusal = raw->Receive();
  ASSERT_TRUE(refusal.ok()) << refusal.status();
  EXPECT_EQ(ReasonOf(RefusalIn(*refusal)), RefusalReason::kLogUnavailable);
  EXPECT_TRUE(raw->ExpectEnd().ok());
}

}  // namespace
}  // namespace rowhouse
