// The clients that a shard knows: their incarnation, which fences lower ones, their window, and how
// far they are with checkpoint marks.
//
// Changes only by what stands in log records, so that replay gives the same table. (When a client
// was last heard of is the exception; it is not part of the state.)
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/checkpoint.h"
#include "common/wire/control.h"
#include "ps/dedup_window.h"

namespace rowhouse {

// Body of a kOpenClient record. Who is forgotten is decided once, when the record is made.
struct OpenClientRecord {
  static constexpr std::string_view kName = "open client record";
  ClientId client;
  Incarnation incarnation;
  Mark mark;
  std::vector<ClientId> forgotten;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, mark, forgotten);
  }
};

// A push as its log record tells it.
struct LoggedPush {
  ClientId client;
  Incarnation incarnation;
  PartId part;
  AppliedPart applied;
  Sequence unretried_below;
  uint64_t arrival_ms = 0;
};

// An applied part of an incarnation that another one has replaced.
struct PastPart {
  Incarnation incarnation;
  Sequence sequence;
  AppliedPart applied;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(incarnation, sequence, applied);
  }
};

struct KnownClient {
  Incarnation incarnation;
  uint64_t last_record_ms = 0;  // arrival time of its last record
  Mark closed;                  // no push marked less is to come
  bool left = false;            // no push at all is to come of this incarnation
  Step step;                    // the highest of any push, all incarnations
  DedupWindow window;
  // What was in the windows of replaced incarnations, each with its floor as a part of count 0: a
  // step that one of them left half done shows only here. Pushes of one part are whole, not kept.
  std::vector<PastPart> past;
  uint64_t last_heard_ms = 0;  // not stored

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(incarnation, last_record_ms, closed, left, step, window, past);
  }
};

class ClientTable {
 public:
  // nullptr where the client is not known.
  const KnownClient* Find(ClientId client) const;

  // The client, if this incarnation of it is the open one. Errors: kNotOpened (also where it has
  // left), kFenced.
  absl::StatusOr<KnownClient*> FindOpen(ClientId client, Incarnation incarnation);

  // The record that opens (client, incarnation): it also forgets clients that have been silent for
  // `retention_ms` where the table is full. `announced`: to this shard. An incarnation that is open
  // already may open again under any mark, which changes nothing: what it had closed stays.
  // Errors: kFenced (also where the incarnation has left), kStaleMark, kTooManyClients, kMalformed.
  absl::StatusOr<OpenClientRecord> MakeOpen(const OpenClient& request, Mark announced,
                                            uint64_t now_ms, uint64_t retention_ms,
                                            size_t clients_max) const;
  void Apply(const OpenClientRecord& record, uint64_t arrival_ms);

  // Records about an incarnation that is not the known one change nothing.
  void Apply(const CloseMark& record, uint64_t arrival_ms);
  void Apply(const LeaveClient& record, uint64_t arrival_ms);
  // Notes a logged push of a client, live or in replay.
  void AddPush(const LoggedPush& push);
  // The client said something that is not logged.
  void Heard(KnownClient* client, uint64_t now_ms) const;

  // Clients that have neither closed `mark` nor left: how many, and the first `count_max` by id.
  size_t CountUnclosed(Mark mark) const;
  std::vector<UnclosedClient> Unclosed(Mark mark, uint64_t now_ms, size_t count_max) const;
  // Parts marked less than `mark` of incarnations that have left or were replaced, by client,
  // incarnation and number; with each incarnation's floor (see CheckpointPart).
  std::vector<CheckpointPart> PartsOfLeft(Mark mark) const;

  // For a restore: the higher incarnation and step of what several shards knew of each client.
  void Merge(const ClientTable& other);
  // For a restore: nobody goes on under an incarnation of another timeline. Windows are emptied.
  void LeaveAll();

  size_t size() const { return clients_.size(); }

  // For the bookkeeping that is kept with the rows. Sorted, so that equal tables give equal bytes.
  std::vector<std::byte> Encode() const;
  absl::Status Decode(std::span<const std::byte> bytes);

 private:
  // nullptr unless exactly this incarnation is known.
  KnownClient* FindExactly(ClientId client, Incarnation incarnation);
  std::vector<ClientId> SilentSince(uint64_t ms) const;
  std::vector<ClientId> Sorted() const;

  std::unordered_map<ClientId, KnownClient> clients_;
};

}  // namespace rowhouse
