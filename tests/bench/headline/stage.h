// The processes that a headline is measured on: a server, and everything that it is compared with.
//
// Threading: one thread. Ownership: everything ends with the stage.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/child_process.h"
#include "tests/bench/headline/headline_options.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/raw_peer.h"
#include "tests/bench/row_model.h"
#include "tests/support/temp_dir.h"
#include "worker/client.h"

namespace rowhouse {

// The measuring sticks serve in processes that are forked before this one has threads.
class Sticks {
 public:
  static absl::StatusOr<std::unique_ptr<Sticks>> Start(const BatchPlan* plan, const CpuSplit& cpus,
                                                       const std::string& run_dir);

  const RawEndpoint& tcp() const { return tcp_; }
  const RawEndpoint& unix_path() const { return unix_path_; }
  uint16_t asio_port() const { return asio_port_; }

 private:
  Sticks(ChildProcess tcp, ChildProcess local, ChildProcess asio)
      : tcp_process_(std::move(tcp)),
        unix_process_(std::move(local)),
        asio_process_(std::move(asio)) {}

  ChildProcess tcp_process_;
  ChildProcess unix_process_;
  ChildProcess asio_process_;
  RawEndpoint tcp_;
  RawEndpoint unix_path_;
  uint16_t asio_port_ = 0;
};

// A rowhouse-ps, of one shard unless told, that listens on TCP and on a Unix socket, in a data
// directory of its own that goes with it.
class RowhouseServer {
 public:
  static absl::StatusOr<std::unique_ptr<RowhouseServer>> Start(const HeadlineOptions& options,
                                                               const CpuSplit& cpus,
                                                               std::vector<std::string> more = {});

  absl::StatusOr<std::unique_ptr<Client>> ConnectTcp() const { return Connect(server_->endpoint); }
  absl::StatusOr<std::unique_ptr<Client>> ConnectUnix() const { return Connect(unix_endpoint_); }
  const ChildProcess& process() const { return server_->process; }
  // Until the server has nothing more to do, log and rows are on disk, and so are the machine's
  // dirty pages.
  absl::Status Drain() const;
  absl::Status Stop();
  // Without waiting for what is not on disk yet; its data goes with it.
  void Kill();
  const std::string& data_dir() const { return data_dir_; }

 private:
  explicit RowhouseServer(const HeadlineOptions& options);
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& endpoint);
  void RemoveData() const;

  std::unique_ptr<TempDir> dir_;
  std::string data_dir_;
  std::string unix_endpoint_;
  std::optional<ServerProcess> server_;
};

// The sum over all shards of the counter of that name.
absl::StatusOr<uint64_t> CounterOf(Client* client, const std::string& name);

}  // namespace rowhouse
