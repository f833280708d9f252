#include "ps/client_table.h"

#include <algorithm>
#include <string_view>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"

namespace rowhouse {
namespace {

struct NamedClient {
  ClientId id;
  KnownClient client;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(id, client);
  }
};

struct ClientTableImage {
  static constexpr std::string_view kName = "stored client table";
  std::vector<NamedClient> clients;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(clients);
  }
};

absl::Status Fenced(ClientId client, Incarnation open, Incarnation asked) {
  return Refuse(RefusalReason::kFenced, "client ", client.value(), ": incarnation ", asked.value(),
                " was replaced by ", open.value(), ", which runs under the same client id");
}

}  // namespace

Incarnation ClientTable::HighestIncarnation(ClientId client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? Incarnation(0) : found->second.incarnation;
}

absl::StatusOr<KnownClient*> ClientTable::FindOpen(ClientId client, Incarnation incarnation) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.incarnation < incarnation) {
    return Refuse(RefusalReason::kNotOpened, "client ", client.value(), " incarnation ",
                  incarnation.value(), " is not open on this shard: open it before pushing");
  }
  if (found->second.incarnation > incarnation) {
    return Fenced(client, found->second.incarnation, incarnation);
  }
  return &found->second;
}

absl::StatusOr<OpenClientRecord> ClientTable::MakeOpen(const OpenClient& request, uint64_t now_ms,
                                                       uint64_t retention_ms,
                                                       size_t clients_max) const {
  if (request.incarnation == Incarnation(0)) {
    return Refuse(RefusalReason::kMalformed, "open client: incarnations count from 1");
  }
  const Incarnation known = HighestIncarnation(request.client);
  if (known > request.incarnation) return Fenced(request.client, known, request.incarnation);
  OpenClientRecord record{request.client, request.incarnation, {}};
  if (known != Incarnation(0) || clients_.size() < clients_max) return record;
  record.forgotten = SilentSince(now_ms > retention_ms ? now_ms - retention_ms : 0);
  if (record.forgotten.empty()) {
    return Refuse(RefusalReason::kTooManyClients, "this shard knows ", clients_.size(),
                  " clients, clients_max is ", clients_max, ", and none was silent for ",
                  retention_ms, " ms (client_retention_ms)");
  }
  return record;
}

void ClientTable::Apply(const OpenClientRecord& record, uint64_t arrival_ms) {
  for (const ClientId client : record.forgotten) clients_.erase(client);
  KnownClient& client = clients_[record.client];
  if (record.incarnation < client.incarnation) return;
  if (record.incarnation > client.incarnation) client.window = DedupWindow();
  client.incarnation = record.incarnation;
  client.last_record_ms = std::max(client.last_record_ms, arrival_ms);
}

void ClientTable::AddPush(ClientId client, Incarnation incarnation, PartId part, Lsn lsn,
                          Sequence unretried_below, uint64_t arrival_ms) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.incarnation != incarnation) return;
  found->second.window.Add(part, lsn, unretried_below);
  found->second.last_record_ms = std::max(found->second.last_record_ms, arrival_ms);
}

std::vector<ClientId> ClientTable::SilentSince(uint64_t ms) const {
  std::vector<ClientId> silent;
  for (const auto& [id, client] : clients_) {
    if (client.last_record_ms < ms) silent.push_back(id);
  }
  std::sort(silent.begin(), silent.end());
  return silent;
}

std::vector<std::byte> ClientTable::Encode() const {
  ClientTableImage image;
  for (const auto& [id, client] : clients_) image.clients.push_back({id, client});
  std::sort(image.clients.begin(), image.clients.end(),
            [](const NamedClient& a, const NamedClient& b) { return a.id < b.id; });
  return EncodeControl(image);
}

absl::Status ClientTable::Decode(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(ClientTableImage image, DecodeControl<ClientTableImage>(bytes));
  clients_.clear();
  for (NamedClient& named : image.clients) clients_.emplace(named.id, std::move(named.client));
  return absl::OkStatus();
}

}  // namespace rowhouse
