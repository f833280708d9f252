#include "common/checkpoint_manifest.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "absl/strings/str_format.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

CheckpointManifest Full() {
  CheckpointManifest manifest;
  manifest.mark = Mark(7);
  manifest.timeline = Timeline(0xfedcba9876543210ull);
  manifest.shard_count = 2;
  manifest.slot_bits = 14;
  manifest.created_ms = 1795000000000ull;
  manifest.user_data = "{\"epoch\": 3, \"text\": \"\\u00e4\"}\n";
  manifest.half_steps.push_back({ClientId(~0ull), Incarnation(2), Sequence(9), Step(5), 1, 2});
  ShardManifest shard{ShardId(0), Lsn(100), Lsn(~0ull), {}};
  shard.files.push_back({"0123.sst", "rows/000012.sst", 1ull << 40, 0x1});
  shard.files.push_back({"4567", "log/segment-1", 0, ~0ull});
  manifest.shards.push_back(shard);
  manifest.shards.push_back({ShardId(1), Lsn(0), Lsn(0), {}});
  return manifest;
}

// What a manifest says, compared field by field.
void ExpectEqual(const CheckpointManifest& a, const CheckpointManifest& b) {
  EXPECT_EQ(a.mark, b.mark);
  EXPECT_EQ(a.timeline, b.timeline);
  EXPECT_EQ(a.shard_count, b.shard_count);
  EXPECT_EQ(a.slot_bits, b.slot_bits);
  EXPECT_EQ(a.created_ms, b.created_ms);
  EXPECT_EQ(a.user_data, b.user_data);
  ASSERT_EQ(a.half_steps.size(), b.half_steps.size());
  for (size_t i = 0; i < a.half_steps.size(); ++i) {
    EXPECT_EQ(a.half_steps[i].client, b.half_steps[i].client);
    EXPECT_EQ(a.half_steps[i].incarnation, b.half_steps[i].incarnation);
    EXPECT_EQ(a.half_steps[i].sequence, b.half_steps[i].sequence);
    EXPECT_EQ(a.half_steps[i].step, b.half_steps[i].step);
    EXPECT_EQ(a.half_steps[i].parts_present, b.half_steps[i].parts_present);
    EXPECT_EQ(a.half_steps[i].parts, b.half_steps[i].parts);
  }
  ASSERT_EQ(a.shards.size(), b.shards.size());
  for (size_t i = 0; i < a.shards.size(); ++i) {
    EXPECT_EQ(a.shards[i].shard, b.shards[i].shard);
    EXPECT_EQ(a.shards[i].watermark, b.shards[i].watermark);
    EXPECT_EQ(a.shards[i].cut, b.shards[i].cut);
    ASSERT_EQ(a.shards[i].files.size(), b.shards[i].files.size());
    for (size_t j = 0; j < a.shards[i].files.size(); ++j) {
      const CheckpointFile& one = a.shards[i].files[j];
      const CheckpointFile& other = b.shards[i].files[j];
      EXPECT_EQ(one.name, other.name);
      EXPECT_EQ(one.original, other.original);
      EXPECT_EQ(one.bytes, other.bytes);
      EXPECT_EQ(one.checksum, other.checksum);
    }
  }
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// The text with a checksum that fits it, as a newer or a careless program would write it.
std::string Sealed(const std::string& text) {
  const size_t at = text.rfind(",\n  \"checksum\"");
  const std::string body = text.substr(0, at) + "\n}\n";
  const uint64_t checksum = Checksum(std::as_bytes(std::span(body.data(), body.size())));
  return text.substr(0, at) + absl::StrFormat(",\n  \"checksum\": \"%016x\"\n}\n", checksum);
}

TEST(CheckpointManifest, ReadsWhatItWrites) {
  const auto decoded = DecodeManifest(EncodeManifest(Full()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ExpectEqual(*decoded, Full());
}

TEST(CheckpointManifest, KeepsAnyUserData) {
  CheckpointManifest manifest = Full();
  manifest.user_data = std::string("\xff\0\"\n\\", 5);
  const auto decoded = DecodeManifest(EncodeManifest(manifest));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->user_data, manifest.user_data);
}

TEST(CheckpointManifest, NoticesEveryFlippedBit) {
  const std::string text = EncodeManifest(Full());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    EXPECT_EQ(DecodeManifest(damaged).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(CheckpointManifest, NoticesThatItIsCutOff) {
  const std::string text = EncodeManifest(Full());
  for (size_t bytes = 0; bytes < text.size(); ++bytes) {
    const auto decoded = DecodeManifest(text.substr(0, bytes));
    EXPECT_EQ(decoded.status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

TEST(CheckpointManifest, RefusesANewerFormatByNumber) {
  const std::string newer = Sealed(
      Replaced(EncodeManifest(Full()), "\"rowhouse_checkpoint\": 1", "\"rowhouse_checkpoint\": 2"));
  const absl::Status status = DecodeManifest(newer).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(std::string(status.message()).find("format 2"), std::string::npos) << status;
}

TEST(CheckpointManifest, RefusesWhatNoWriterWouldSay) {
  const std::string text = EncodeManifest(Full());
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"mark\": 7", "\"mark\": 0"},
      {"\"mark\": 7", "\"mark\": -7"},
      {"\"mark\": 7", "\"mark\": \"7\""},
      {"\"mark\": 7", "\"mork\": 7"},
      {"\"rowhouse_checkpoint\": 1", "\"rowhouse_checkpoint\": 0"},
      {"\"shard_count\": 2", "\"shard_count\": 3"},
      {"\"shard_count\": 2", "\"shard_count\": 4294967298"},
      {"\"shard\": 1", "\"shard\": 0"},
      {"0123.sst", "../x"},
      {"0123.sst", ".."},
      {"rows/000012.sst", "rows/../../x"},
      {"rows/000012.sst", "/etc/x"},
      {"rows/000012.sst", "rows//x"},
      {"\"half_steps\": [", "\"half_steps\": [1,"},
  };
  for (const auto& [from, to] : changes) {
    const absl::Status status = DecodeManifest(Sealed(Replaced(text, from, to))).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << to << ": " << status;
  }
}

TEST(CheckpointManifest, NamesSortByNumberAndReadBack) {
  EXPECT_EQ(ManifestName(Mark(7)), "checkpoint-00000007.json");
  EXPECT_EQ(ParseManifestName("checkpoint-00000007.json"), Mark(7));
  EXPECT_EQ(ParseManifestName(ManifestName(Mark(123456789012))), Mark(123456789012));
  for (const char* name :
       {"checkpoint-7.json", "checkpoint-00000000.json", "checkpoint-00000007.json.tmp",
        "checkpoint-.json", "checkpoint.json", "checkpoint-0000000x.json", "checkpoint-json", "",
        "checkpoint--0000007.json", "checkpoint-99999999999999999999.json"}) {
    EXPECT_EQ(ParseManifestName(name), Mark(0)) << name;
  }
}

}  // namespace
}  // namespace rowhouse
