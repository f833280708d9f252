#include "tests/bench/headline/connections.h"

#include <memory>
#include <span>
#include <thread>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/headline/contender.h"
#include "tests/bench/keep_going.h"
#include "tests/bench/rowhouse_load.h"

namespace rowhouse {
namespace {

using Clients = std::span<const std::unique_ptr<Client>>;

class Connections {
 public:
  Connections(const HeadlineOptions& options, const BatchPlan& plan)
      : options_(options), plan_(plan) {}

  absl::Status Run(const CpuSplit& cpus, Headline* headline) {
    ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options_, cpus));
    while (clients_.size() < options_.connections) {
      ASSIGN_OR_RETURN(auto client, server->ConnectTcp());
      clients_.push_back(std::move(client));
    }
    ASSIGN_OR_RETURN(table_, clients_.front()->CreateTable(
                                 HeadlineTable(options_, "many", Durability::kMemory)));
    RETURN_IF_ERROR(FillTable(clients_.front().get(), table_, plan_));
    RETURN_IF_ERROR(server->Drain());
    Contest contest;
    contest.Add({"pull_2_connections", nullptr, nullptr, [this] { return PullOver(2); }});
    contest.Add(
        {"pull_64_connections", nullptr, nullptr, [this] { return PullOver(clients_.size()); }});
    RETURN_IF_ERROR(contest.Run(options_.rounds, "clients_64_over_2"));
    headline->figures.push_back(
        {"clients_64_over_2", contest.Ratio("pull_64_connections", "pull_2_connections"), 0.8});
    contest.AppendRates(&headline->rates);
    clients_.clear();
    return server->Stop();
  }

 private:
  // Rows a second over the first `count` clients.
  absl::StatusOr<double> PullOver(size_t count) const {
    const Clients all = Clients(clients_).first(count);
    absl::StatusOr<double> other = 0.0;
    std::thread thread([&] { other = Drive(all.first(count / 2), 1); });
    const absl::StatusOr<double> one = Drive(all.subspan(count / 2), 0);
    thread.join();
    RETURN_IF_ERROR(one.status());
    RETURN_IF_ERROR(other.status());
    return *one + *other;
  }

  absl::StatusOr<double> Drive(Clients clients, size_t number) const {
    const auto slots = static_cast<uint32_t>(clients.size() * options_.in_flight);
    std::vector<std::vector<float>> rows(slots, std::vector<float>(plan_.batch_floats()));
    uint64_t sent = 0;
    const auto pull = [&](size_t slot) {
      const size_t batch = (number + 2 * sent++) % plan_.batch_count();
      return clients[slot % clients.size()]->Pull(Step(1),
                                                  {{table_, plan_.keys(batch), rows[slot]}});
    };
    ASSIGN_OR_RETURN(const LoadResult result, KeepGoing(slots, options_.seconds, pull));
    return static_cast<double>(result.requests) * plan_.batch_rows() / result.seconds;
  }

  const HeadlineOptions& options_;
  const BatchPlan& plan_;
  std::vector<std::unique_ptr<Client>> clients_;
  Table table_;
};

}  // namespace

absl::Status MeasureConnections(const HeadlineOptions& options, const CpuSplit& cpus,
                                const BatchPlan& plan, Headline* headline) {
  return Connections(options, plan).Run(cpus, headline);
}

}  // namespace rowhouse
