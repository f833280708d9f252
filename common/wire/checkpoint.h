// Control messages of checkpoints: marks, registrations and the steps of one checkpoint.
//
// A checkpoint of all shards is taken by a driver, a client of the cluster that holds no state:
//
//   1. PrepareCheckpoint on every shard, then CheckpointStatus until all are kPrepared: each has
//      flushed its rows and keeps an image of its files and all of its log from there on.
//   2. AnnounceMark k on every shard, k above every mark that any of them knows. From here on the
//      shards' answers tell k, and workers mark their next steps with it.
//   3. Workers close k - 1: CloseMark on every shard once all their pushes marked less than k are
//      acknowledged. CheckpointStatus tells who has not; LeaveClient removes one that is gone.
//   4. When every shard is kSealed, PublishCheckpoint: the shard copies its image and its log into
//      the checkpoint's directory. CheckpointStatus until all are kPublished.
//   5. The driver writes the manifest (common/checkpoint_manifest.h). Now the checkpoint exists.
//
// The state that the checkpoint stands for: the image, and of the log's records above its watermark
// those marked less than k. An attempt is abandoned by AbandonCheckpoint, by the next
// PrepareCheckpoint, by a restart of the shard, or when nobody asks for its status for long.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace rowhouse {

// Says that the client is alive, and asks for the announced mark. Not logged.
struct RenewClient {
  static constexpr std::string_view kName = "renew client";
  ClientId client;
  Incarnation incarnation;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation);
  }
};

struct RenewClientAnswer {
  static constexpr std::string_view kName = "renew client answer";
  Mark mark;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(mark);
  }
};

// All the client's pushes marked less than `mark` are acknowledged on every shard, and it will make
// no more of them. Logged; also the body of the record.
struct CloseMark {
  static constexpr std::string_view kName = "close mark";
  ClientId client;
  Incarnation incarnation;
  Mark mark;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, mark);
  }
};

// The client makes no more pushes under this incarnation: said by itself when it ends in order, or
// by whoever drives a checkpoint about one that is gone. Logged; also the body of the record.
struct LeaveClient {
  static constexpr std::string_view kName = "leave client";
  ClientId client;
  Incarnation incarnation;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation);
  }
};

// Logged; also the body of the record. Idempotent.
struct AnnounceMark {
  static constexpr std::string_view kName = "announce mark";
  Mark mark;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(mark);
  }
};

struct PrepareCheckpoint {
  static constexpr std::string_view kName = "prepare checkpoint";
  uint64_t attempt = 0;  // a random number, the same for all shards

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(attempt);
  }
};

struct AbandonCheckpoint {
  static constexpr std::string_view kName = "abandon checkpoint";
  uint64_t attempt = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(attempt);
  }
};

struct PublishCheckpoint {
  static constexpr std::string_view kName = "publish checkpoint";
  uint64_t attempt = 0;
  std::string directory;  // as the server sees it

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(attempt, directory);
  }
};

// Answer of CloseMark, LeaveClient, AnnounceMark, Prepare-, Abandon- and PublishCheckpoint.
struct Done {
  static constexpr std::string_view kName = "done";
  Mark mark;  // the highest announced to the shard

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(mark);
  }
};

struct CheckpointStatus {
  static constexpr std::string_view kName = "checkpoint status";
  uint64_t attempt = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(attempt);
  }
};

// Values are part of the wire protocol.
enum class CheckpointPhase : uint8_t {
  kFlushing = 1,  // rows are being written, then the image is made
  kPrepared = 2,  // the image is there; the mark may be announced
  kMarked = 3,    // announced; not every registered client has closed the mark before it
  kSealed = 4,    // everybody has, and the log is synced up to there
  kPublishing = 5,
  kPublished = 6,
  kFailed = 7,  // see `failure`
};

// A client that this shard still waits for.
struct UnclosedClient {
  ClientId client;
  Incarnation incarnation;
  uint64_t silent_ms = 0;  // since its last request on this shard

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, silent_ms);
  }
};

// A file of a checkpoint's directory, named by its content: equal files are stored once.
struct CheckpointFile {
  std::string name;      // in the checkpoint's files/ directory
  std::string original;  // what it is called in the shard's directory: "rows/000012.sst"
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // XXH3-64 of the content

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(name, original, bytes, checksum);
  }
};

// A push of a client incarnation that left or was replaced which this shard has applied within the
// cut; whether the step is whole shows from all shards together.
//
// A shard forgets parts below the number that the client said it will never retry, the window's
// floor, and other shards may have heard of a lower one. So each incarnation comes with one part of
// part_count 0, whose `sequence` is its floor here: numbers below the highest floor that any shard
// tells were done with, and say nothing. On a shard that tells nothing of an incarnation it was
// open still when that shard was sealed, and had closed the mark: its steps within the cut are
// whole.
struct CheckpointPart {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  Step step;
  uint32_t part_count = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, sequence, step, part_count);
  }
};

struct CheckpointStatusAnswer {
  static constexpr std::string_view kName = "checkpoint status answer";
  CheckpointPhase phase = CheckpointPhase::kFlushing;
  std::string failure;
  Mark mark;                             // the highest announced to the shard
  std::vector<UnclosedClient> unclosed;  // at most 1000 of them
  uint64_t bytes_done = 0;               // of flushing or publishing
  uint64_t bytes_total = 0;
  // From kSealed on.
  Lsn watermark;
  Lsn cut;  // the last record that may belong to the cut
  std::vector<CheckpointPart> parts_of_left;
  // From kPublished on.
  std::vector<CheckpointFile> files;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(phase, failure, mark, unclosed, bytes_done, bytes_total, watermark, cut, parts_of_left,
            files);
  }
};

}  // namespace rowhouse
