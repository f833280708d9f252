#include "ps/net/server.h"

#include <glog/logging.h>

#include <filesystem>
#include <random>
#include <string_view>
#include <system_error>

#include "common/endpoint.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"
#include "ps/memory_budget.h"
#include "ps/net/lobby.h"
#include "ps/net/server_context.h"
#include "ps/net/shard_host.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLocalSocketName = "local.sock";

absl::Status CheckPlace(const ServerOptions& options) {
  const uint64_t shards = uint64_t{options.shards} * options.server_count;
  if (options.shards < 1 || shards > kShardCountMax) {
    return absl::InvalidArgumentError(
        StrCat(options.server_count, " servers of ", options.shards, " shards are ", shards,
               " shards; 1 to ", kShardCountMax, " are possible: see --shards, --server-count"));
  }
  if (options.server_index >= options.server_count) {
    return absl::InvalidArgumentError(StrCat("--server-index is ", options.server_index,
                                             "; with --server-count ", options.server_count,
                                             " it must be 0 to ", options.server_count - 1));
  }
  return absl::OkStatus();
}

// Anything but our own directories means that somebody else's files lie there.
absl::Status CheckNotForeign(const std::string& data_dir) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(data_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("shard-")) continue;
    // Left over from a server that was killed.
    if (name == kLocalSocketName && entry.is_socket(error)) continue;
    return absl::FailedPreconditionError(
        StrCat("data directory '", data_dir, "' holds '", name,
               "', which is not Rowhouse's: choose an empty or new directory with --data-dir"));
  }
  return absl::OkStatus();
}

Timeline FirstTimeline(const std::string& cluster_name) {
  return Timeline(Checksum(std::as_bytes(std::span(cluster_name))) | 1);
}

uint64_t DrawLife() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

class ServerImpl : public Server {
 public:
  explicit ServerImpl(ServerOptions options) : context_(std::move(options)) {}
  ~ServerImpl() override { Stop().IgnoreError(); }

  absl::Status Open() {
    RETURN_IF_ERROR(OpenShards());
    lobby_ = std::make_unique<Lobby>(Facts(), HostPointers(), &context_);
    for (const std::string& text : context_.options.listen) {
      ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(text));
      RETURN_IF_ERROR(lobby_->Listen(endpoint));
    }
    if (context_.options.local_socket && lobby_->listens_on_tcp()) ListenLocally();
    for (auto& host : hosts_) host->Start();
    lobby_->Start();
    return absl::OkStatus();
  }

  std::vector<std::string> endpoints() const override { return lobby_->endpoints(); }

  std::string local_socket() const override { return lobby_->local_socket(); }

  std::vector<ShardId> shards() const override {
    std::vector<ShardId> shards;
    for (const auto& host : hosts_) shards.push_back(host->shard_id());
    return shards;
  }

  absl::Status Stop() override {
    if (lobby_ != nullptr) lobby_->Stop();
    for (auto& host : hosts_) host->BeginStop();
    absl::Status stopped;
    for (auto& host : hosts_) stopped.Update(host->Join());
    context_.log_pool.join();
    context_.file_pool.join();
    context_.read_pool.join();
    context_.checkpoint_pool.join();
    context_.removal_pool.join();
    return stopped;
  }

 private:
  absl::Status OpenShards() {
    const ServerOptions& options = context_.options;
    for (uint32_t i = 0; i < options.shards; ++i) {
      ShardIdentity identity;
      identity.timeline = FirstTimeline(options.cluster_name);
      identity.shard = ShardId(options.first_shard() + i);
      identity.shard_count = options.shard_count();
      identity.slot_bits = kSlotBits;
      ASSIGN_OR_RETURN(auto host, ShardHost::Open(identity, &context_));
      hosts_.push_back(std::move(host));
    }
    return absl::OkStatus();
  }

  // No more than a shortcut: without it, all come over TCP. Only the server that holds the locks of
  // its data directory gets here.
  void ListenLocally() {
    std::error_code error;
    const fs::path directory = fs::canonical(context_.options.data_dir, error);
    const absl::Status listening =
        error ? absl::UnavailableError(
                    StrCat("no directory '", context_.options.data_dir, "': ", error.message()))
              : lobby_->ListenLocally((directory / kLocalSocketName).string());
    if (listening.ok()) return;
    LOG(INFO) << "workers of this host will use TCP, not a socket in the data directory: "
              << listening.message();
  }

  ServerFacts Facts() const {
    const ServerOptions& options = context_.options;
    return {DrawLife(), hosts_.front()->timeline(),     options.shard_count(),
            shards(),   options.limits.frame_bytes_max, options.limits.keys_per_request_max};
  }

  std::vector<ShardHost*> HostPointers() const {
    std::vector<ShardHost*> pointers;
    for (const auto& host : hosts_) pointers.push_back(host.get());
    return pointers;
  }

  ServerContext context_;
  std::vector<std::unique_ptr<ShardHost>> hosts_;
  std::unique_ptr<Lobby> lobby_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options) {
  RETURN_IF_ERROR(CheckPlace(options));
  if (!options.open_storage) RETURN_IF_ERROR(CheckNotForeign(options.data_dir));
  options.limits.memory_bytes_max = ShardBudget(options.memory_bytes_max, options.shards);
  auto server = std::make_unique<ServerImpl>(std::move(options));
  RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace rowhouse
