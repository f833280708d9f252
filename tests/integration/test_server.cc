#include "tests/integration/test_server.h"

#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"

namespace rowhouse {
namespace {

absl::StatusOr<ShardStorage> OpenMemory(const ShardIdentity& identity) {
  ShardStorage storage;
  storage.identity = identity;
  storage.disk = MakeMemoryDiskTier();
  storage.files = std::make_unique<MemoryLogFiles>();
  return storage;
}

}  // namespace

ServerOptions TestServer::InMemory() {
  ServerOptions options;
  options.open_storage = OpenMemory;
  return options;
}

TestServer::TestServer(ServerOptions options) : options_(std::move(options)) {
  options_.listen = {"127.0.0.1:0", StrCat("unix:", dir_.path(), "/socket")};
  options_.local_socket = false;  // its transports are those that a test names
  options_.data_dir = StrCat(dir_.path(), "/data");
}

absl::Status TestServer::Start() {
  ASSIGN_OR_RETURN(server_, Server::Start(options_));
  return absl::OkStatus();
}

absl::Status TestServer::Stop() {
  if (server_ == nullptr) return absl::OkStatus();
  const absl::Status stopped = server_->Stop();
  server_.reset();
  return stopped;
}

std::string TestServer::endpoint(Transport transport) const {
  return server_->endpoints().at(transport == Transport::kTcp ? 0 : 1);
}

}  // namespace rowhouse
