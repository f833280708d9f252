#include "tests/bench/sweep/sweep_sticks.h"

#include <unistd.h>

#include <thread>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bare_work.h"
#include "tests/bench/plain_peer.h"

namespace rowhouse {
namespace {

// One table behind both sockets, of which one at a time is used.
void ServeBoth(const RawListener& tcp, const RawListener& local, const BatchPlan* plan) {
  const std::vector<RawWork> works = BareWorks(plan);
  std::thread other([&] { ServeRaw(local, works); });
  ServeRaw(tcp, works);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SweepSticks>> SweepSticks::Start(const BatchPlan* plan,
                                                                const CpuSplit& cpus,
                                                                const std::string& run_dir) {
  ASSIGN_OR_RETURN(const RawListener tcp, ListenRaw());
  ASSIGN_OR_RETURN(const RawListener local, ListenRaw(StrCat(run_dir, "/sticks.sock")));
  ASSIGN_OR_RETURN(const PlainListener asio, ListenPlain());
  ASSIGN_OR_RETURN(ChildProcess raw_process,
                   ChildProcess::Call([&] { ServeBoth(tcp, local, plan); }, cpus.servers));
  ASSIGN_OR_RETURN(ChildProcess asio_process,
                   ChildProcess::Call([&] { ServePlain(asio.fd); }, cpus.servers));
  ::close(asio.fd);
  std::unique_ptr<SweepSticks> sticks(
      new SweepSticks(std::move(raw_process), std::move(asio_process)));
  sticks->tcp_ = tcp.endpoint;
  sticks->unix_ = local.endpoint;
  sticks->asio_port_ = asio.port;
  return sticks;
}

}  // namespace rowhouse
