// The clients that a shard knows: their incarnation, which fences lower ones, and their window.
//
// Changes only by what stands in log records, so that replay gives the same table.
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/control.h"
#include "ps/dedup_window.h"

namespace rowhouse {

// Body of a kOpenClient record. Who is forgotten is decided once, when the record is made.
struct OpenClientRecord {
  static constexpr std::string_view kName = "open client record";
  ClientId client;
  Incarnation incarnation;
  std::vector<ClientId> forgotten;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, forgotten);
  }
};

struct KnownClient {
  Incarnation incarnation;
  uint64_t last_record_ms = 0;  // arrival time of its last record
  DedupWindow window;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(incarnation, last_record_ms, window);
  }
};

class ClientTable {
 public:
  // Incarnation 0 where the client is not known.
  Incarnation HighestIncarnation(ClientId client) const;

  // The client, if this incarnation of it is the open one. Errors: kNotOpened, kFenced.
  absl::StatusOr<KnownClient*> FindOpen(ClientId client, Incarnation incarnation);

  // The record that opens (client, incarnation): it also forgets clients that have been silent for
  // `retention_ms` where the table is full. Errors: kFenced, kTooManyClients, kMalformed.
  absl::StatusOr<OpenClientRecord> MakeOpen(const OpenClient& request, uint64_t now_ms,
                                            uint64_t retention_ms, size_t clients_max) const;
  void Apply(const OpenClientRecord& record, uint64_t arrival_ms);

  // Notes a logged push of a client, live or in replay; ignored where the incarnation is not open.
  void AddPush(ClientId client, Incarnation incarnation, PartId part, Lsn lsn,
               Sequence unretried_below, uint64_t arrival_ms);

  size_t size() const { return clients_.size(); }

  // For the bookkeeping that is kept with the rows. Sorted, so that equal tables give equal bytes.
  std::vector<std::byte> Encode() const;
  absl::Status Decode(std::span<const std::byte> bytes);

 private:
  std::vector<ClientId> SilentSince(uint64_t ms) const;

  std::unordered_map<ClientId, KnownClient> clients_;
};

}  // namespace rowhouse
