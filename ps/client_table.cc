#include "ps/client_table.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"

namespace rowhouse {
namespace {

// Of one client, over all its replaced incarnations but the last; the oldest go first.
constexpr size_t kPastPartsMax = 1024;

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

// A part marked less than the cut's mark belongs to the cut. One of one part is whole.
void AddPart(ClientId client, Incarnation incarnation, Sequence sequence,
             const AppliedPart& applied, Mark mark, std::vector<CheckpointPart>* parts) {
  if (applied.part_count == 1) return;
  if (applied.part_count > 1 && applied.mark >= mark) return;
  parts->push_back({client, incarnation, sequence, applied.step, applied.part_count});
}

bool IsFloor(const PastPart& part) { return part.applied.part_count == 0; }

// The oldest incarnations go first, each as a whole: a floor above all its numbers stays and says
// that nothing is known of it here, whatever other shards still know.
void ForgetSurplus(std::vector<PastPart>* past) {
  auto surplus = std::count_if(past->begin(), past->end(), std::not_fn(IsFloor)) -
                 static_cast<ptrdiff_t>(kPastPartsMax);
  std::vector<PastPart> kept;
  Incarnation forgotten;
  for (PastPart& part : *past) {
    if (IsFloor(part)) {
      if (surplus > 0) forgotten = part.incarnation;
      if (part.incarnation == forgotten) part.sequence = Sequence(UINT64_MAX);
    } else if (part.incarnation == forgotten) {
      --surplus;
      continue;
    }
    kept.push_back(part);
  }
  const size_t dropped = kept.size() - std::min(kept.size(), 2 * kPastPartsMax);
  kept.erase(kept.begin(), kept.begin() + static_cast<ptrdiff_t>(dropped));
  *past = std::move(kept);
}

// The window of an incarnation ends: what may be half of a step is remembered.
void MoveWindowToPast(KnownClient* client) {
  if (client->incarnation == Incarnation(0)) return;
  ForgetSurplus(&client->past);
  client->past.push_back({client->incarnation, client->window.floor(), {Lsn(0), client->step}});
  for (const auto& [part, applied] : client->window.parts()) {
    if (applied.part_count < 2) continue;
    client->past.push_back({client->incarnation, part.sequence, applied});
  }
  client->window = DedupWindow();
}

}  // namespace

const KnownClient* ClientTable::Find(ClientId client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? nullptr : &found->second;
}

KnownClient* ClientTable::FindExactly(ClientId client, Incarnation incarnation) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.incarnation != incarnation) return nullptr;
  return &found->second;
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
  if (found->second.left) {
    return Refuse(RefusalReason::kNotOpened, "client ", client.value(), " incarnation ",
                  incarnation.value(), " has left: open a higher incarnation before pushing");
  }
  return &found->second;
}

absl::StatusOr<OpenClientRecord> ClientTable::MakeOpen(const OpenClient& request, Mark announced,
                                                       uint64_t now_ms, uint64_t retention_ms,
                                                       size_t clients_max) const {
  if (request.incarnation == Incarnation(0)) {
    return Refuse(RefusalReason::kMalformed, "open client: incarnations count from 1");
  }
  OpenClientRecord record{request.client, request.incarnation, request.mark, {}};
  const KnownClient* const known = Find(request.client);
  if (known != nullptr && known->incarnation > request.incarnation) {
    return Fenced(request.client, known->incarnation, request.incarnation);
  }
  if (known != nullptr && known->incarnation == request.incarnation) {
    if (!known->left) return record;
    return Refuse(RefusalReason::kFenced, "client ", request.client.value(), ": incarnation ",
                  request.incarnation.value(), " has left: open a higher one");
  }
  if (request.mark < announced) {
    return Refuse(RefusalReason::kStaleMark, "client ", request.client.value(),
                  " opens under checkpoint mark ", request.mark.value(), "; ", announced.value(),
                  " was announced here: ask every shard again, then open under the highest");
  }
  if (known != nullptr || clients_.size() < clients_max) return record;
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
  if (record.incarnation > client.incarnation) {
    MoveWindowToPast(&client);
    client.closed = record.mark;
    client.left = false;
  }
  client.incarnation = record.incarnation;
  client.last_record_ms = std::max(client.last_record_ms, arrival_ms);
}

void ClientTable::Apply(const CloseMark& record, uint64_t arrival_ms) {
  KnownClient* const client = FindExactly(record.client, record.incarnation);
  if (client == nullptr) return;
  client->closed = std::max(client->closed, record.mark);
  client->last_record_ms = std::max(client->last_record_ms, arrival_ms);
}

void ClientTable::Apply(const LeaveClient& record, uint64_t arrival_ms) {
  KnownClient* const client = FindExactly(record.client, record.incarnation);
  if (client == nullptr) return;
  client->left = true;
  client->last_record_ms = std::max(client->last_record_ms, arrival_ms);
}

void ClientTable::AddPush(const LoggedPush& push) {
  KnownClient* const client = FindExactly(push.client, push.incarnation);
  if (client == nullptr) return;
  client->window.Add(push.part, push.applied, push.unretried_below);
  client->step = std::max(client->step, push.applied.step);
  client->last_record_ms = std::max(client->last_record_ms, push.arrival_ms);
}

void ClientTable::Heard(KnownClient* client, uint64_t now_ms) const {
  client->last_heard_ms = std::max(client->last_heard_ms, now_ms);
}

size_t ClientTable::CountUnclosed(Mark mark) const {
  return static_cast<size_t>(std::count_if(clients_.begin(), clients_.end(), [mark](auto& entry) {
    return !entry.second.left && entry.second.closed < mark;
  }));
}

std::vector<UnclosedClient> ClientTable::Unclosed(Mark mark, uint64_t now_ms,
                                                  size_t count_max) const {
  std::vector<UnclosedClient> unclosed;
  for (const ClientId id : Sorted()) {
    const KnownClient& client = clients_.at(id);
    if (client.left || client.closed >= mark) continue;
    if (unclosed.size() == count_max) break;
    const uint64_t heard_ms = std::max(client.last_heard_ms, client.last_record_ms);
    unclosed.push_back({id, client.incarnation, now_ms > heard_ms ? now_ms - heard_ms : 0});
  }
  return unclosed;
}

std::vector<CheckpointPart> ClientTable::PartsOfLeft(Mark mark) const {
  std::vector<CheckpointPart> parts;
  for (const ClientId id : Sorted()) {
    const KnownClient& client = clients_.at(id);
    for (const PastPart& past : client.past) {
      AddPart(id, past.incarnation, past.sequence, past.applied, mark, &parts);
    }
    if (!client.left) continue;
    parts.push_back({id, client.incarnation, client.window.floor(), client.step, 0});
    for (const auto& [part, applied] : client.window.parts()) {
      AddPart(id, client.incarnation, part.sequence, applied, mark, &parts);
    }
  }
  return parts;
}

void ClientTable::Merge(const ClientTable& other) {
  for (const auto& [id, theirs] : other.clients_) {
    const auto [at, added] = clients_.emplace(id, theirs);
    if (added) continue;
    KnownClient& ours = at->second;
    const Step step = std::max(ours.step, theirs.step);
    const uint64_t last_record_ms = std::max(ours.last_record_ms, theirs.last_record_ms);
    if (theirs.incarnation > ours.incarnation) ours = theirs;
    ours.step = step;
    ours.last_record_ms = last_record_ms;
  }
}

void ClientTable::LeaveAll() {
  for (auto& [id, client] : clients_) {
    client.left = true;
    client.window = DedupWindow();
    client.past.clear();
  }
}

std::vector<ClientId> ClientTable::Sorted() const {
  std::vector<ClientId> ids;
  ids.reserve(clients_.size());
  for (const auto& [id, client] : clients_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::vector<ClientId> ClientTable::SilentSince(uint64_t ms) const {
  std::vector<ClientId> silent;
  for (const auto& [id, client] : clients_) {
    if (std::max(client.last_record_ms, client.last_heard_ms) < ms) silent.push_back(id);
  }
  std::sort(silent.begin(), silent.end());
  return silent;
}

std::vector<std::byte> ClientTable::Encode() const {
  ClientTableImage image;
  for (const ClientId id : Sorted()) image.clients.push_back({id, clients_.at(id)});
  return EncodeControl(image);
}

absl::Status ClientTable::Decode(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(ClientTableImage image, DecodeControl<ClientTableImage>(bytes));
  clients_.clear();
  for (NamedClient& named : image.clients) clients_.emplace(named.id, std::move(named.client));
  return absl::OkStatus();
}

}  // namespace rowhouse
