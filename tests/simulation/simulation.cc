#include "tests/simulation/simulation.h"

#include <cmath>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "tests/simulation/checkpoint_checks.h"
#include "tests/simulation/checkpoint_maker.h"
#include "tests/simulation/client_process.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_server.h"

namespace rowhouse {
namespace {

// After the last fault everything has to come to its end within this time.
constexpr uint64_t kPatienceUs = 120'000'000;

// A client over all its lives.
struct ClientRole {
  ClientId client;
  Step step;
  uint32_t calls_left = 0;
  bool done = false;
  ClientProcess* current = nullptr;
  std::vector<std::unique_ptr<ClientProcess>> processes;
};

class Simulation {
 public:
  explicit Simulation(const RunOptions& options)
      : world_(options.seed, options.trace_lines_max),
        network_(&world_),
        witnesses_(world_.plan.shard_count) {
    world_.sabotage = options.sabotage;
    for (uint32_t i = 0; i < world_.plan.shard_count; ++i) {
      servers_.push_back(std::make_unique<SimServer>(&world_, &network_, ShardId(i)));
    }
    clients_.resize(world_.plan.client_count);
  }

  RunResult Run() {
    for (const auto& server : servers_) server->Start();
    for (uint32_t i = 0; i < clients_.size(); ++i) {
      clients_[i].client = ClientId(i + 1);
      clients_[i].calls_left = world_.plan.calls_per_client;
      StartProcess(&clients_[i]);
    }
    ScheduleFault();
    ScheduleCheckpoint();
    const uint64_t end_us = world_.plan.faults_end_us + kPatienceUs;
    RunUntil([this] { return AllDone(); }, end_us, "the clients' calls are not answered");
    over_ = true;
    HealAll();
    RunUntil([this] { return AllUp(); }, end_us, "not every shard comes up");
    MakeLastCheckpoint(end_us);
    StopAll(end_us);
    if (!world_.failed()) CheckAll();
    return Result();
  }

 private:
  template <typename Condition>
  void RunUntil(Condition condition, uint64_t end_us, std::string_view otherwise) {
    while (!world_.failed() && !condition()) {
      if (world_.events.now_us() < end_us && world_.events.RunOne()) continue;
      world_.Expect(absl::DataLossError(StrCat("progress: ", otherwise)));
    }
  }

  bool AllDone() const {
    for (const ClientRole& role : clients_) {
      if (!role.done) return false;
    }
    return true;
  }
  bool AllUp() const {
    for (const auto& server : servers_) {
      if (!server->up()) return false;
    }
    return true;
  }

  void StartProcess(ClientRole* role) {
    ClientProcess::Events events;
    events.given_up = [this](const PushIdentity& push) {
      given_up_.insert({push.client, push.incarnation, push.sequence});
    };
    events.take_call = [role] { return role->calls_left > 0 && role->calls_left--; };
    auto process =
        std::make_unique<ClientProcess>(&world_, &network_, role->client, &role->step, &witnesses_,
                                        EventsOf(role, role->processes.size(), std::move(events)));
    role->current = process.get();
    role->processes.push_back(std::move(process));
    world_.Count("client process");
    role->current->Start();
  }

  ClientProcess::Events EventsOf(ClientRole* role, size_t number, ClientProcess::Events events) {
    const auto is_current = [role, number] { return number + 1 == role->processes.size(); };
    events.idle = [role, is_current] { role->done |= is_current(); };
    events.broken = [this, role, is_current] {
      if (is_current()) RestartLater(role);
    };
    return events;
  }

  void RestartLater(ClientRole* role) {
    const size_t processes = role->processes.size();
    world_.events.After(world_.Between(1'000, 50'000), [this, role, processes] {
      if (role->processes.size() == processes && !role->done) StartProcess(role);
    });
  }

  uint64_t Exponential(uint64_t mean_us) {
    return 1 +
           static_cast<uint64_t>(-static_cast<double>(mean_us) * std::log(world_.random.Unit()));
  }

  CheckpointMaker* StartCheckpoint() {
    makers_.push_back(std::make_unique<CheckpointMaker>(&world_, &network_, makers_.size() + 1));
    makers_.back()->Start();
    return makers_.back().get();
  }

  // Mostly one at a time; some drivers die on the way.
  void ScheduleCheckpoint() {
    if (world_.plan.checkpoint_gap_us_mean == 0) return;
    world_.events.After(Exponential(world_.plan.checkpoint_gap_us_mean), [this] {
      if (over_) return;
      if (makers_.empty() || makers_.back()->done() || world_.OneIn(10)) {
        CheckpointMaker* maker = StartCheckpoint();
        if (world_.OneIn(4)) {
          world_.events.After(world_.Between(1, 300'000), [maker] { maker->Die(); });
        }
      }
      ScheduleCheckpoint();
    });
  }

  // With nothing failing any more, one has to come about.
  void MakeLastCheckpoint(uint64_t end_us) {
    const size_t made = world_.depot.made.size();
    const auto succeeded = [this, made] { return world_.depot.made.size() > made; };
    while (!world_.failed() && !succeeded()) {
      CheckpointMaker* maker = StartCheckpoint();
      RunUntil([&] { return maker->done(); }, end_us, "no checkpoint comes about");
    }
  }

  void ScheduleFault() {
    if (std::accumulate(world_.plan.weights.begin(), world_.plan.weights.end(), 0u) == 0) return;
    world_.events.After(Exponential(world_.plan.fault_gap_us_mean), [this] {
      if (over_) return;
      if (world_.events.now_us() > world_.plan.faults_end_us) return HealAll();
      Inject(DrawFault());
      ScheduleFault();
    });
  }

  Fault DrawFault() {
    const auto& weights = world_.plan.weights;
    uint64_t at = world_.random.Below(std::accumulate(weights.begin(), weights.end(), 0u));
    size_t i = 0;
    while (at >= weights[i]) at -= weights[i++];
    return static_cast<Fault>(i);
  }

  SimServer* AnyServer() { return servers_[world_.random.Below(servers_.size())].get(); }
  LifeEnd AnyEnd() { return world_.OneIn(2) ? LifeEnd::kKilled : LifeEnd::kPowerCut; }

  void Inject(Fault fault) {
    world_.Count(StrCat("fault: ", FaultName(fault)));
    switch (fault) {
      case Fault::kKill:
        return AnyServer()->Crash(LifeEnd::kKilled);
      case Fault::kPowerCut:
        return AnyServer()->Crash(LifeEnd::kPowerCut);
      case Fault::kBlackout:
        for (const auto& server : servers_) server->Crash(LifeEnd::kPowerCut);
        return;
      case Fault::kDieInJob:
        return AnyServer()->DieInJob(world_.Between(1, 8), AnyEnd());
      case Fault::kDieAtBoundary:
        return AnyServer()->CrashAt(static_cast<Boundary>(world_.Between(1, 5)), AnyEnd());
      case Fault::kCutConnection:
        return CutAny();
      case Fault::kCrashClient:
      case Fault::kTwinClient:
        return ReplaceClient(fault == Fault::kTwinClient);
      default:
        return InjectLasting(fault);
    }
  }

  void InjectLasting(Fault fault) {
    SimServer* server = AnyServer();
    world_.trace.Note("fault: ", FaultName(fault));
    if (fault == Fault::kFullDisk) server->disk().FillUp();
    if (fault == Fault::kTornAppends) server->disk().TearAppends();
    if (fault == Fault::kFailingSyncs) server->disk().FailSyncs(true);
    if (fault == Fault::kFailingIngests) server->disk().FailIngests(true);
    if (fault == Fault::kFailingReads) server->disk().FailReads(true);
    if (fault == Fault::kSlowJobs) server->set_slowness(20);
    world_.events.After(world_.Between(1, world_.plan.fault_us_max), [server] {
      server->disk().Heal();
      server->set_slowness(1);
    });
  }

  void CutAny() {
    const std::vector<SessionId> open = network_.OpenSessions();
    if (!open.empty()) network_.Cut(open[world_.random.Below(open.size())]);
  }

  void ReplaceClient(bool twin) {
    ClientRole* role = &clients_[world_.random.Below(clients_.size())];
    if (role->done || (twin && !role->current->serving())) return;
    world_.trace.Note("client ", role->client.value(), twin ? " has a twin" : " crashes");
    if (twin) return StartProcess(role);
    role->current->Die();
    RestartLater(role);
  }

  void HealAll() {
    for (const auto& server : servers_) {
      server->disk().Heal();
      server->set_slowness(1);
      server->CrashAt(Boundary::kNone, LifeEnd::kKilled);
      if (server->up()) server->disk().Revive();
    }
  }

  // Everything that was acknowledged has to be on disk, and to come back.
  void StopAll(uint64_t end_us) {
    for (const auto& server : servers_) {
      if (world_.failed()) return;
      server->Stop();
      RunUntil([&] { return server->lives().back().end == LifeEnd::kStopped; }, end_us,
               "a shard does not stop");
      if (world_.failed()) return;
      server->CheckStored();
    }
    for (const auto& server : servers_) {
      if (world_.failed()) return;
      server->Crash(LifeEnd::kStopped);
      RunUntil([&] { return server->up(); }, end_us, "a shard does not start after its stop");
    }
  }

  void CheckAll() {
    uint64_t unknown = 0;
    for (size_t i = 0; i < servers_.size(); ++i) {
      const std::vector<Life>& lives = servers_[i]->lives();
      servers_[i]->CountRefusals();
      world_.Expect(CheckAcks(lives, witnesses_[i].acks));
      world_.Expect(CheckPulls(lives, witnesses_[i].pulled, &unknown));
      for (const auto& [name, row] : servers_[i]->ReadRows()) {
        world_.trace.Note("row ", name.first.value(), " ", name.second.value(), " ",
                          row.lsn.value(), " ",
                          Checksum(std::as_bytes(std::span<const float>(row.weights))), " ",
                          Checksum(std::as_bytes(std::span<const float>(row.state))));
      }
    }
    for (const ClientRole& role : clients_) {
      for (const auto& process : role.processes) process->CheckOrders();
    }
    world_.Count("pulled rows that cannot be judged", unknown);
    CheckCheckpoints();
  }

  void CheckCheckpoints() {
    std::set<PushName> excused = given_up_;
    std::vector<const Journal*> journals;
    for (size_t i = 0; i < servers_.size(); ++i) {
      AddLostPushes(servers_[i]->lives(), witnesses_[i].acks, &excused);
      journals.push_back(&servers_[i]->lives().back().journal);
    }
    for (const MadeCheckpoint& made : world_.depot.made) {
      for (size_t i = 0; i < servers_.size(); ++i) {
        const absl::StatusOr<Rows> rows = RecoverCut(made.shards[i], made.mark);
        if (!rows.ok()) return world_.Expect(rows.status());
        world_.Expect(CheckCut(*journals[i], made.mark, made.cuts[i], *rows));
      }
      world_.Expect(CheckWholeSteps(journals, made.mark, made.half_steps, excused));
    }
  }

  RunResult Result() {
    RunResult result;
    result.verdict = world_.verdict;
    result.digest = world_.trace.digest();
    result.trace.assign(world_.trace.lines().begin(), world_.trace.lines().end());
    result.counts = world_.counts;
    result.virtual_us = world_.events.now_us();
    return result;
  }

  World world_;
  Network network_;
  std::vector<Witness> witnesses_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<ClientRole> clients_;
  std::vector<std::unique_ptr<CheckpointMaker>> makers_;
  std::set<PushName> given_up_;
  bool over_ = false;
};

}  // namespace

RunResult Simulate(const RunOptions& options) { return Simulation(options).Run(); }

}  // namespace rowhouse
