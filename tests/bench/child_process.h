// A process that the bench starts and that never outlives it.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

class ChildProcess {
 public:
  // A program; its first argument is its path. What it says goes to `log_file`. `cpus`:
  // those that it may run on; empty: all.
  static absl::StatusOr<ChildProcess> Run(const std::vector<std::string>& arguments,
                                          const std::string& log_file,
                                          const std::vector<int>& cpus);
  // A function in a process of its own. REQUIRES: the caller has no other thread yet.
  static absl::StatusOr<ChildProcess> Call(const std::function<void()>& function,
                                           const std::vector<int>& cpus);

  ChildProcess(ChildProcess&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  ChildProcess& operator=(ChildProcess&& other) = delete;
  ~ChildProcess();  // kills it where it still runs

  // SIGTERM, then waits; an error where it did not exit with 0.
  absl::Status Stop();
  // Waits until it ends by itself; an error where it did not exit with 0.
  absl::Status Wait();
  // Processor time used so far by all its threads, in ticks of 10 ms.
  double cpu_seconds() const;
  // The same to the nanosecond, of threads that have not ended.
  double living_threads_seconds() const;
  // Memory that is resident now; 0 where that cannot be read.
  uint64_t resident_bytes() const;
  bool running() const;
  // Lets its threads run on all of `cpus`, but those whose name begins with `bound`, which stay
  // where they are. Threads that the others start later go with them.
  void FreeThreads(std::string_view bound, const std::vector<int>& cpus) const;

 private:
  explicit ChildProcess(int pid) : pid_(pid) {}

  int pid_;
};

struct ServerProcess {
  ChildProcess process;
  std::string endpoint;
};

// Starts a rowhouse-ps on a free loopback port and waits until it serves; its log and ready file go
// to `run_dir`. Errors: what the server said.
struct ServerArguments {
  std::string program;
  std::string data_dir;
  uint32_t shards = 1;
  std::vector<std::string> more;  // further flags
};
absl::StatusOr<ServerProcess> StartServer(const ServerArguments& server, const std::string& run_dir,
                                          const std::vector<int>& cpus);

}  // namespace rowhouse
