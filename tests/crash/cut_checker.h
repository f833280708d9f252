// Whether a checkpoint is a consistent cut of the logs: of every push all parts belong to it, or
// none, but for the half ones that its manifest names. Shards forget what was half in lives of a
// client that were replaced long ago, so a half push of an older life needs no name.
//
// A record belongs to checkpoint k where it is marked less than k and lies at or below its shard's
// cut; behind the cut no record may be marked less.
//
// Threading: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint_manifest.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "storage/push_log.h"

namespace rowhouse {

class CutChecker {
 public:
  explicit CutChecker(CheckpointManifest manifest);

  // Whether the record, of that shard's log, belongs to the cut. Errors: a push that does not
  // parse.
  absl::StatusOr<bool> Take(ShardId shard, const LogRecord& record);
  // When all logs are read: what is wrong, the first hundred.
  std::vector<std::string> Errors() const;

  const CheckpointManifest& manifest() const { return manifest_; }

 private:
  struct Push {
    ClientId client;
    Incarnation incarnation;
    Sequence sequence;
    auto operator<=>(const Push&) const = default;
  };
  struct Parts {
    uint32_t present = 0;
    uint32_t total = 0;
  };
  bool IsOfOldLife(const Push& push) const;
  void Complain(const Push& push, std::string_view what) const;

  const CheckpointManifest manifest_;
  std::map<ShardId, Lsn> cuts_;
  std::map<Push, Parts> half_;  // as the manifest says
  std::map<Push, Parts> pushes_;
  std::map<ClientId, Incarnation> newest_;
  mutable std::vector<std::string> errors_;
};

}  // namespace rowhouse
