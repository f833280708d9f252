#include "tests/bench/torch_peer.h"

#include <poll.h>

#include <utility>

#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr char kPython[] = "/usr/bin/python3";
constexpr int kStartTimeoutMs = 120000;

absl::Status Failed(const std::string& log_file) {
  return absl::UnavailableError(
      StrCat("PyTorch does not answer; it is a package of deploy/install-deps --test, its log is ",
             log_file));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TorchPeer>> TorchPeer::Start(const TorchOptions& options,
                                                            const std::string& run_dir,
                                                            const std::vector<int>& cpus) {
  ASSIGN_OR_RETURN(const RawListener listener, ListenRaw(StrCat(run_dir, "/torch.sock")));
  std::string log_file = StrCat(run_dir, "/torch.log");
  ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Run({kPython, options.script, listener.endpoint.path, StrCat(options.rows),
                         StrCat(options.dim), StrCat(options.batch_rows), StrCat(options.threads)},
                        log_file, cpus));
  pollfd entry = {listener.socket.fd(), POLLIN, 0};
  if (::poll(&entry, 1, kStartTimeoutMs) != 1) return Failed(log_file);
  return std::unique_ptr<TorchPeer>(
      new TorchPeer(AcceptRaw(listener), std::move(process), std::move(log_file)));
}

absl::StatusOr<double> TorchPeer::Ask(uint64_t kind, double seconds) const {
  struct {
    uint64_t kind;
    double seconds;
  } const request{kind, seconds};
  double rate = 0;
  if (!socket_.WriteAll(std::as_bytes(std::span(&request, 1))) ||
      !socket_.ReadAll(std::as_writable_bytes(std::span(&rate, 1)))) {
    return Failed(log_file_);
  }
  return rate;
}

}  // namespace rowhouse
