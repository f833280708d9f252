// PyTorch in a process of its own: look-ups in an Embedding, and sparse Adagrad steps, with no
// server and no network between.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/child_process.h"
#include "tests/bench/raw_socket.h"

namespace rowhouse {

struct TorchOptions {
  std::string script;  // torch_steps.py
  uint64_t rows = 0;
  uint32_t dim = 0;
  uint32_t batch_rows = 0;
  uint32_t threads = 1;
};

class TorchPeer {
 public:
  // Errors: PyTorch is not installed or fails; the message names the log.
  static absl::StatusOr<std::unique_ptr<TorchPeer>> Start(const TorchOptions& options,
                                                          const std::string& run_dir,
                                                          const std::vector<int>& cpus);

  // Rows a second.
  absl::StatusOr<double> LookUps(double seconds) const { return Ask(0, seconds); }
  absl::StatusOr<double> Steps(double seconds) const { return Ask(1, seconds); }
  double cpu_seconds() const { return process_.cpu_seconds(); }

 private:
  TorchPeer(RawSocket socket, ChildProcess process, std::string log_file)
      : socket_(std::move(socket)), process_(std::move(process)), log_file_(std::move(log_file)) {}

  absl::StatusOr<double> Ask(uint64_t kind, double seconds) const;

  const RawSocket socket_;
  const ChildProcess process_;
  const std::string log_file_;
};

}  // namespace rowhouse
