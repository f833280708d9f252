#include "common/cluster_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  return std::string(ParseClusterFile(text, "c.toml").status().message());
}

TEST(ClusterFile, ListsServersAndShards) {
  auto cluster = ParseClusterFile(
      "[cluster]\nservers = ['10.0.0.1:7600', '[::1]:7600', 'unix:/run/rowhouse']\n"
      "shards_per_server = 4\n",
      "c.toml");
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_THAT(cluster->servers, ElementsAre("10.0.0.1:7600", "[::1]:7600", "unix:/run/rowhouse"));
  EXPECT_EQ(cluster->shards_per_server, 4);
  EXPECT_EQ(cluster->shard_count(), 12);
}

TEST(ClusterFile, HasOneShardPerServerByDefault) {
  auto cluster = ParseClusterFile("[cluster]\nservers = ['a:1', 'b:1']\n", "c.toml");
  ASSERT_TRUE(cluster.ok());
  EXPECT_EQ(cluster->shard_count(), 2);
}

TEST(ClusterFile, RefusesWhatIsNotAClusterNamingFileAndKey) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("c.toml: servers is missing"));
  EXPECT_THAT(ErrorOf("[cluster]\nservers = []\n"), HasSubstr("c.toml: servers is missing"));
  EXPECT_THAT(ErrorOf("[cluster]\nserver = ['a:1']\n"),
              HasSubstr("c.toml:2: unknown key server in [cluster]; did you mean servers?"));
  EXPECT_THAT(ErrorOf("[cluster]\nservers = ['a:1']\nshards_per_server = 0\n"),
              HasSubstr("c.toml:3: shards_per_server is 0"));
  EXPECT_THAT(ErrorOf("[cluster]\nservers = ['a:1', 'b:1', 'a:1']\n"),
              HasSubstr("servers[2] a:1 is also servers[0]"));
}

TEST(ClusterFile, RefusesBadEndpoints) {
  EXPECT_THAT(ErrorOf("[cluster]\nservers = ['a:1', 'b']\n"),
              HasSubstr("c.toml: servers[1] endpoint 'b': there is no port"));
  EXPECT_THAT(ErrorOf("[cluster]\nservers = ['a:0']\n"),
              HasSubstr("c.toml: servers[0] endpoint 'a:0': port 0"));
}

TEST(ClusterFile, NamesAFileThatIsNotThere) {
  EXPECT_THAT(std::string(ReadClusterFile("/nowhere/c.toml").status().message()),
              HasSubstr("cannot read /nowhere/c.toml"));
}

}  // namespace
}  // namespace rowhouse
