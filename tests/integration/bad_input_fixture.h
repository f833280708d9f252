// What every test of bad input does: say something wrong, be told what, and see that nothing else
// has changed.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/refusal.h"
#include "tests/integration/raw_client.h"
#include "tests/integration/test_server.h"

namespace rowhouse {

inline constexpr uint32_t kBadInputShards = 2;

class BadInputFixture : public testing::TestWithParam<Transport> {
 protected:
  using Counters = std::map<std::string, uint64_t>;

  // Two tables, "user" and "wide", and one client are on shard 0, and user has the row of known_.
  void StartServer(ServerOptions options);

  RawClient Connect() { return *RawClient::Connect(endpoint()); }
  RawClient Greet(ShardId shard = ShardId(0)) { return *RawClient::Greet(endpoint(), shard); }
  std::string endpoint() const { return server_->endpoint(GetParam()); }

  // A right push of one section, with the next sequence number.
  TestPush PushOf(std::vector<Key> keys, float gradient = 0.5f);

  // The request is refused so; the connection goes on; the one counter moved, and nothing else.
  void ExpectRefused(Op op, const std::vector<std::byte>& body, RefusalReason reason,
                     const std::vector<std::string>& words);
  void ExpectRefused(const TestPush& push, RefusalReason reason,
                     const std::vector<std::string>& words) {
    ExpectRefused(Op::kPush, PushBody(push), reason, words);
  }
  // `bytes` on `connection` end it with an error frame, and nothing else happens.
  void ExpectCutOff(RawClient connection, std::span<const std::byte> bytes, RefusalReason reason,
                    const std::vector<std::string>& words, bool end_sending = false);
  // Reads the error frame and the end of the stream.
  void ExpectRefusedAndClosed(RawClient& connection, RefusalReason reason,
                              const std::vector<std::string>& words);
  // Waits until the counter of `reason` is `count`.
  void AwaitCount(RefusalReason reason, uint64_t count);

  // All but those of connections, which come and go beside what a test does.
  Counters CountersNow() { return CountersOf(*control_); }
  static Counters CountersOf(RawClient& client);
  static std::string CounterOf(RefusalReason reason);

  std::optional<TestServer> server_;
  std::optional<RawClient> control_;  // a good client, on shard 0
  TableSpec user_;
  TableSpec wide_;
  OpenClient client_{ClientId(7), Incarnation(1)};
  uint64_t next_sequence_ = 1;
  Key known_;              // has a row
  std::vector<Key> keys_;  // of shard 0, the first of them known_
  Key elsewhere_;          // of shard 1
};

inline std::string TransportName(const testing::TestParamInfo<Transport>& info) {
  return info.param == Transport::kTcp ? "Tcp" : "Unix";
}

}  // namespace rowhouse
