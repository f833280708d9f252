// How a client comes to talk to a server of its own host over a Unix-domain socket, and when not.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/control.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/integration/relay.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

uint64_t LocalConnections(Client& client) { return CounterOf(client, "connections_unix"); }

std::string SocketOf(TestCluster& cluster, uint32_t server = 0) {
  return cluster.server(server)->local_socket();
}

// A socket file as a server of this user that was killed leaves it.
void LeaveSocket(const std::string& path) {
  asio::io_context loop;
  asio::local::stream_protocol::acceptor acceptor(loop, {path});
}

TEST(LocalSocket, IsFoundByClientsThatAreToldOfTcpAlone) {
  TestCluster cluster({.servers = 2, .shards = 3});
  for (const std::string& endpoint : cluster.endpoints()) {
    EXPECT_TRUE(endpoint.starts_with("127.0.0.1:")) << endpoint;
  }
  const auto client = cluster.Connect();
  EXPECT_EQ(LocalConnections(*client), 6u);
  const auto table = client->CreateTable(UniformTable("user", 2));
  ASSERT_TRUE(table.ok()) << table.status();
  const std::vector<Key> keys = {Key(1), Key(2), Key(3)};
  const std::vector<float> gradients(6, 1);
  EXPECT_TRUE(client->Push(Step(1), {{*table, keys, gradients}}).get().ok());
}

TEST(LocalSocket, IsForItsOwnUserAlone) {
  TestCluster cluster({});
  struct stat info;
  ASSERT_EQ(::lstat(SocketOf(cluster).c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(LocalSocket, GoesWithItsServer) {
  TestCluster cluster({});
  const std::string path = SocketOf(cluster);
  cluster.StopServer(0);
  EXPECT_FALSE(fs::exists(path));
}

TEST(LocalSocket, IsNotTakenByAClientThatIsToldNotTo) {
  TestCluster cluster({});
  ClientOptions options = cluster.client_options();
  options.prefer_local = false;
  const auto client = TestCluster::Connect(options);
  EXPECT_EQ(CounterOf(*client, "connections"), 1u);
  EXPECT_EQ(LocalConnections(*client), 0u);
}

TEST(LocalSocket, IsNotMadeByAServerThatIsToldNotTo) {
  TestCluster cluster({}, [](ServerOptions* options) { options->local_socket = false; });
  EXPECT_EQ(SocketOf(cluster), "");
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

TEST(LocalSocket, IsNotMadeWithoutATcpEndpoint) {
  const TempDir dir;
  TestCluster cluster(
      {}, [&](ServerOptions* options) { options->listen = {"unix:" + dir.path() + "/socket"}; });
  EXPECT_EQ(SocketOf(cluster), "");
}

TEST(LocalSocket, IsDoneWithoutWhereItsPathWouldBeTooLong) {
  TestCluster cluster(
      {}, [](ServerOptions* options) { options->data_dir += "/" + std::string(100, 'd'); });
  EXPECT_EQ(SocketOf(cluster), "");
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

TEST(LocalSocket, IsDoneWithoutWhereItIsGone) {
  TestCluster cluster({});
  fs::remove(SocketOf(cluster));
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

TEST(LocalSocket, IsDoneWithoutWhereAFileHasTakenItsPlace) {
  TestCluster cluster({});
  fs::remove(SocketOf(cluster));
  std::ofstream(SocketOf(cluster)) << "somebody's";
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

TEST(LocalSocket, IsDoneWithoutWhereNobodyListensAnyMore) {
  TestCluster cluster({});
  fs::remove(SocketOf(cluster));
  LeaveSocket(SocketOf(cluster));
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

TEST(LocalSocket, IsDoneWithoutWhereNobodyAnswers) {
  TestCluster cluster({});
  fs::remove(SocketOf(cluster));
  asio::io_context loop;
  asio::local::stream_protocol::acceptor mute(loop, {SocketOf(cluster)});
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 0u);
}

// The other one has the same name, shards and timeline: only its life tells it apart.
TEST(LocalSocket, IsDoneWithoutWhereAnotherServerAnswers) {
  TestCluster cluster({});
  TestCluster other({});
  fs::rename(SocketOf(other), SocketOf(cluster));
  const auto client = cluster.Connect();
  EXPECT_EQ(LocalConnections(*client), 0u);
  ASSERT_TRUE(client->CreateTable(UniformTable("user", 2)).ok());
  EXPECT_EQ(CounterOf(*client, "tables"), 1u);
  EXPECT_EQ(CounterOf(*other.Connect(), "tables"), 0u);
}

TEST(LocalSocket, IsChosenAgainAfterEveryRestart) {
  bool local_socket = true;
  TestCluster cluster({.servers = 1, .shards = 2},
                      [&](ServerOptions* options) { options->local_socket = local_socket; });
  const auto client = cluster.Connect();
  EXPECT_EQ(LocalConnections(*client), 2u);
  for (const bool next : {true, false, true}) {
    local_socket = next;
    cluster.StopServer(0);
    cluster.StartServer(0);
    EXPECT_EQ(LocalConnections(*client), next ? 2u : 0u);
  }
}

TEST(LocalSocket, TakesThePlaceOfOneThatAKilledServerLeft) {
  TestCluster cluster({});
  const std::string path = SocketOf(cluster);
  cluster.StopServer(0);
  LeaveSocket(path);
  ASSERT_TRUE(fs::exists(path));
  cluster.StartServer(0);
  EXPECT_EQ(LocalConnections(*cluster.Connect()), 1u);
}

TEST(LocalSocket, DoesNotLeadAroundARelay) {
  TestCluster cluster({});
  Relay relay(cluster.endpoints()[0], 1);
  ClientOptions options = cluster.client_options();
  options.servers = {relay.endpoint()};
  EXPECT_EQ(LocalConnections(*TestCluster::Connect(options)), 0u);
}

HelloAnswer AnswerTo(const std::string& endpoint, uint16_t version_max) {
  absl::StatusOr<RawClient> client = RawClient::Connect(endpoint);
  EXPECT_TRUE(client.ok()) << client.status();
  Hello hello = HelloFor(ShardId(0));
  hello.version_max = version_max;
  const auto answer = client->Ask<HelloAnswer>(Op::kHello, hello);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.value_or(HelloAnswer{});
}

TEST(LocalSocket, IsNotSpokenOfToClientsOfTheFirstProtocolVersion) {
  TestCluster cluster({});
  const HelloAnswer answer = AnswerTo(cluster.endpoints()[0], 1);
  EXPECT_EQ(answer.version, 1);
  EXPECT_EQ(answer.local.path, "");
}

TEST(LocalSocket, IsNamedOverTcpAndProvesItselfOverTheSocket) {
  TestCluster cluster({});
  const HelloAnswer tcp = AnswerTo(cluster.endpoints()[0], kProtocolVersionMax);
  EXPECT_EQ(tcp.local.path, SocketOf(cluster));
  EXPECT_EQ(tcp.local.server_end, cluster.endpoints()[0]);
  const HelloAnswer local = AnswerTo("unix:" + SocketOf(cluster), kProtocolVersionMax);
  EXPECT_EQ(local.local.path, "");
  EXPECT_EQ(local.local.server_life, tcp.local.server_life);
}

}  // namespace
}  // namespace rowhouse
