// The manifest of a checkpoint: what it consists of. A checkpoint exists once its manifest does.
//
//   DIR/checkpoint-00000007.json   the manifest of checkpoint 7
//   DIR/files/<name>               content, named by its checksum, shared between checkpoints
//   DIR/LOCK                       held by flock while a checkpoint is made or pruned
//
// The manifest is JSON for people and programs; its field `checksum` is the XXH3-64 of the text
// without that field.
//
// Threading: plain values and free functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/checkpoint.h"

namespace rowhouse {

struct ShardManifest {
  ShardId shard;
  Lsn watermark;
  Lsn cut;
  std::vector<CheckpointFile> files;
};

// A step of a client that left of which only some shards have their part.
struct HalfStep {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  Step step;
  uint32_t parts_present = 0;
  uint32_t parts = 0;
};

struct CheckpointManifest {
  Mark mark;  // the checkpoint's number: it holds what is marked less than it
  Timeline timeline;
  uint32_t shard_count = 0;
  uint32_t slot_bits = 0;
  uint64_t created_ms = 0;  // since the Unix epoch
  std::string user_data;    // the maker's own, any text
  std::vector<HalfStep> half_steps;
  std::vector<ShardManifest> shards;  // by shard id
};

std::string EncodeManifest(const CheckpointManifest& manifest);
// Errors: DataLoss where the text is damaged, Unimplemented where its format is newer; messages say
// what is wrong, not where.
absl::StatusOr<CheckpointManifest> DecodeManifest(std::string_view text);

// "checkpoint-00000007.json" and back; 0 for other names.
std::string ManifestName(Mark mark);
Mark ParseManifestName(std::string_view name);

}  // namespace rowhouse
