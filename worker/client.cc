#include "worker/client.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/fingerprint.h"
#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "worker/client/call_checks.h"
#include "worker/client/client_loop.h"
#include "worker/client/mark_book.h"
#include "worker/client/pull_plan.h"
#include "worker/client/push_plan.h"
#include "worker/client/push_window.h"

namespace rowhouse {
namespace {

std::future<absl::Status> Ready(absl::Status status) {
  std::promise<absl::Status> promise;
  promise.set_value(std::move(status));
  return promise.get_future();
}

// How many calls may be open; callers beyond wait.
class InFlight {
 public:
  explicit InFlight(uint32_t count_max) : free_(count_max) {}

  void Acquire() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [this] { return free_ > 0; });
    --free_;
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    ++free_;
    freed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable freed_;
  uint32_t free_;
};

template <typename Message>
Request ControlRequest(ShardId shard, Op op, const Message& message) {
  Request request;
  request.shard = shard;
  request.op = op;
  request.head = HeadWithRoom(EncodeControl(message));
  return request;
}

template <typename Answer>
absl::Status AcceptAs(std::span<const std::byte> body) {
  return DecodeControl<Answer>(body).status();
}

// What a shard has refused for good it has not applied, of what it has not answered nobody knows.
bool IsUndone(const absl::Status& result) {
  const RefusalReason reason = ReasonOf(result);
  return reason != RefusalReason::kNone && reason != RefusalReason::kDeadline &&
         reason != RefusalReason::kMalformed;
}

// Whether some shards may have applied their part of the step and others not.
bool MayBeHalfDone(const Call& push) {
  if (push.error.ok()) return false;
  const size_t parts = push.requests.size();
  const auto undone = static_cast<size_t>(
      std::count_if(push.requests.begin(), push.requests.end(),
                    [](const Request& request) { return IsUndone(request.result); }));
  return parts > 1 && undone < parts;
}

absl::Status HalfStepError(const Call& push) {
  return absl::FailedPreconditionError(
      StrCat("this client pushes no more, because a step of it may be half done: the ", push.what,
             " did not end well on all ", push.requests.size(), " shards (",
             std::string(push.error.message()),
             "); checkpoints name such a step; connect a new client, with the same id to go on "
             "under a new incarnation"));
}

class ShardedClient : public Client {
 public:
  ShardedClient(const ClientOptions& options, std::unique_ptr<ClientLoop> loop)
      : options_(options),
        slots_(loop->cluster().shard_count, loop->cluster().epoch),
        in_flight_(options.requests_in_flight_max),
        marks_(loop->registered_mark(), loop->connected_mark()),
        renewing_(loop->cluster().shard_count, 0),
        loop_(std::move(loop)) {
    loop_->Watch({.mark = [this](Mark mark) { Learn(mark); }, .lease = [this] { Renew(); }});
  }
  ~ShardedClient() override { Leave(); }

  absl::StatusOr<Table> CreateTable(const TableSpec& spec) override;
  std::future<absl::Status> Pull(Step step, std::vector<PullPart> parts) override;
  std::future<absl::Status> Push(Step step, std::vector<PushPart> parts) override;
  absl::StatusOr<std::vector<StatsAnswer>> Stats() override;
  void AskAllShards(std::string what, Op op, ControlBody message,
                    std::function<void(ControlAnswers)> done) override;
  uint32_t shard_count() const override { return slots_.shard_count(); }
  ClientId id() const override { return options_.client; }
  Timeline timeline() const override { return loop_->cluster().timeline; }
  Step last_step() const override { return loop_->last_step(); }

 private:
  // Asks every shard the same thing; answers by shard id.
  template <typename Answer, typename Message>
  absl::StatusOr<std::vector<Answer>> AskAll(std::string what, Op op, const Message& message);
  std::future<absl::Status> Send(std::shared_ptr<Call> call, bool is_push);
  void Send(std::shared_ptr<Call> call, bool is_push, std::function<void(absl::Status)> done);
  // REQUIRES: order_mutex_ held.
  void Number(Call* call, bool is_push);
  PushIdentity BeginPush();
  // `call`: all its requests are done.
  void EndPush(const PushIdentity& push, const Call& call);
  // Why this client pushes no more, if that is so.
  absl::Status half_step() const;

  // --- What the client says of its own accord, in calls that nobody waits for or counts.
  template <typename Message>
  std::shared_ptr<Call> CallToAll(std::string what, Op op, const Message& message) const;
  std::shared_ptr<Call> LeaveCall() const;
  void SubmitUncounted(std::shared_ptr<Call> call);
  // On the loop's thread:
  void Learn(Mark mark);
  void Renew();
  void CloseMarks();
  // Says that there will be no more pushes; bounded, and nothing depends on success.
  void Leave();

  void Remember(const Table& table, const std::string& name);
  std::string NameOf(TableId table) const;
  TableNamer Namer() const {
    return [this](TableId table) { return NameOf(table); };
  }

  const ClientOptions options_;
  const SlotMap slots_;

  InFlight in_flight_;
  // Whoever holds it numbers a call and hands it to the loop, or sends it: the order of calls is
  // that of numbers.
  std::mutex order_mutex_;
  uint64_t last_request_id_ = 0;
  // Taken inside order_mutex_, and alone by the loop when a push ends or a mark is told.
  mutable std::mutex window_mutex_;
  PushWindow window_;
  MarkBook marks_;
  absl::Status half_step_;

  std::vector<char> renewing_;  // [shard_count]: a renewal is under way; the loop's thread

  mutable std::mutex names_mutex_;
  std::map<TableId, std::string> names_;

  // Last, so that it is destroyed first: calls that it ends still find the members above.
  const std::unique_ptr<ClientLoop> loop_;
};

void ShardedClient::Remember(const Table& table, const std::string& name) {
  const std::lock_guard lock(names_mutex_);
  names_[table.id] = name;
}

std::string ShardedClient::NameOf(TableId table) const {
  const std::lock_guard lock(names_mutex_);
  const auto found = names_.find(table);
  if (found == names_.end()) return absl::StrFormat("table %016x", table.value());
  return StrCat("table '", found->second, "'");
}

std::future<absl::Status> ShardedClient::Pull(Step step, std::vector<PullPart> parts) {
  if (absl::Status status = CheckParts(parts, Namer()); !status.ok()) return Ready(status);
  auto requests = PlanPull(step, std::move(parts), slots_, loop_->cluster().limits);
  if (!requests.ok()) return Ready(requests.status());
  auto call = std::make_shared<Call>();
  call->what = StrCat("pull for step ", step.value());
  call->requests = *std::move(requests);
  return Send(std::move(call), false);
}

std::future<absl::Status> ShardedClient::Push(Step step, std::vector<PushPart> parts) {
  if (step.value() == 0) {
    return Ready(Refuse(RefusalReason::kBadStep, "push: step is 0; steps count from 1"));
  }
  if (options_.read_only) {
    return Ready(absl::FailedPreconditionError(
        "push: this client is read-only; connect one without read_only to push"));
  }
  if (absl::Status status = CheckParts(parts, Namer()); !status.ok()) return Ready(status);
  if (shard_count() > 1) {  // a single shard refuses all of it, or nothing
    if (absl::Status status = CheckGradients(parts, Namer()); !status.ok()) return Ready(status);
  }
  auto requests = PlanPush(step, std::move(parts), slots_, loop_->cluster().limits);
  if (!requests.ok()) return Ready(requests.status());
  auto call = std::make_shared<Call>();
  call->what = StrCat("push of step ", step.value());
  call->requests = *std::move(requests);
  return Send(std::move(call), true);
}

std::future<absl::Status> ShardedClient::Send(std::shared_ptr<Call> call, bool is_push) {
  auto promise = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> future = promise->get_future();
  Send(std::move(call), is_push,
       [promise](absl::Status status) { promise->set_value(Detached(status)); });
  return future;
}

void ShardedClient::Send(std::shared_ptr<Call> call, bool is_push,
                         std::function<void(absl::Status)> done) {
  if (call->requests.empty()) return done(absl::OkStatus());
  in_flight_.Acquire();
  call->done = [this, done = std::move(done)](absl::Status status) {
    in_flight_.Release();
    done(std::move(status));
  };
  const std::lock_guard lock(order_mutex_);
  if (is_push) {
    if (absl::Status status = half_step(); !status.ok()) return call->done(std::move(status));
  }
  Number(call.get(), is_push);
  loop_->Submit(std::move(call));
}

void ShardedClient::Number(Call* call, bool is_push) {
  call->unanswered = call->requests.size();
  call->deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.request_timeout_ms);
  if (is_push) {
    const PushIdentity identity = BeginPush();
    call->done = [this, identity, call, done = std::move(call->done)](auto status) {
      EndPush(identity, *call);
      done(std::move(status));
    };
    for (Request& request : call->requests) StampPush(identity, &request);
  }
  for (Request& request : call->requests) {
    SealFrame(&request, ++last_request_id_);
    if (is_push && options_.on_acknowledged) TellOfAnswer(options_.on_acknowledged, &request);
  }
}

PushIdentity ShardedClient::BeginPush() {
  PushIdentity push;
  push.client = options_.client;
  push.incarnation = loop_->incarnation();
  const std::lock_guard lock(window_mutex_);
  push.mark = marks_.BeginPush();
  push.sequence = window_.Begin();
  push.unretried_below = window_.unretried_below();
  return push;
}

// A step that is not whole ends this client's part in checkpoints, as the death of its process
// would: its number and its mark stay open, and it leaves. So the shards tell what they have of the
// step, and a checkpoint's manifest names it.
void ShardedClient::EndPush(const PushIdentity& push, const Call& call) {
  const bool half = MayBeHalfDone(call);
  bool leaves = false;
  {
    const std::lock_guard lock(window_mutex_);
    if (half) {
      leaves = half_step_.ok();
      if (leaves) half_step_ = HalfStepError(call);
    } else {
      window_.Finish(push.sequence);
      marks_.EndPush(push.mark);
    }
  }
  if (leaves) {
    LOG(ERROR) << half_step().message();
    SubmitUncounted(LeaveCall());
  }
  CloseMarks();
}

absl::Status ShardedClient::half_step() const {
  const std::lock_guard lock(window_mutex_);
  return half_step_;
}

void ShardedClient::Learn(Mark mark) {
  {
    const std::lock_guard lock(window_mutex_);
    marks_.Learn(mark);
  }
  CloseMarks();
}

void ShardedClient::CloseMarks() {
  if (options_.read_only) return;
  std::optional<Mark> mark;
  {
    const std::lock_guard lock(window_mutex_);
    if (!half_step_.ok()) return;
    mark = marks_.TakeClosable();
  }
  if (!mark.has_value()) return;
  auto call = CallToAll(StrCat("close mark ", mark->value()), Op::kCloseMark,
                        CloseMark{options_.client, loop_->incarnation(), *mark});
  call->done = [this, mark = *mark](const absl::Status& status) {
    if (!status.ok()) LOG(WARNING) << "will be tried again: " << status;
    const std::lock_guard lock(window_mutex_);
    status.ok() ? marks_.Closed(mark) : marks_.CloseFailed(mark);
  };
  SubmitUncounted(std::move(call));
}

void ShardedClient::Renew() {
  if (!half_step().ok()) return;  // it has left
  CloseMarks();                   // what failed before
  // Shard by shard: one that does not answer must not make the client look dead to the others.
  for (uint32_t i = 0; i < shard_count(); ++i) {
    if (renewing_[i] != 0) continue;
    renewing_[i] = 1;
    auto call = std::make_shared<Call>();
    call->what = "renewal";
    call->requests.push_back(ControlRequest(ShardId(i), Op::kRenewClient,
                                            RenewClient{options_.client, loop_->incarnation()}));
    call->requests.back().accept = AcceptAs<RenewClientAnswer>;
    call->done = [this, i](const absl::Status&) { renewing_[i] = 0; };
    SubmitUncounted(std::move(call));
  }
}

void ShardedClient::Leave() {
  if (options_.read_only || options_.leave_timeout_ms == 0) return;
  auto left = std::make_shared<std::promise<void>>();
  std::future<void> future = left->get_future();
  auto call = LeaveCall();
  call->done = [left](const absl::Status&) { left->set_value(); };
  SubmitUncounted(std::move(call));
  future.wait_for(std::chrono::milliseconds(options_.leave_timeout_ms));
}

std::shared_ptr<Call> ShardedClient::LeaveCall() const {
  auto call =
      CallToAll("leave", Op::kLeaveClient, LeaveClient{options_.client, loop_->incarnation()});
  call->done = [](const absl::Status&) {};
  return call;
}

template <typename Message>
std::shared_ptr<Call> ShardedClient::CallToAll(std::string what, Op op,
                                               const Message& message) const {
  auto call = std::make_shared<Call>();
  call->what = std::move(what);
  for (uint32_t i = 0; i < shard_count(); ++i) {
    call->requests.push_back(ControlRequest(ShardId(i), op, message));
    call->requests.back().accept = AcceptAs<Done>;
  }
  return call;
}

void ShardedClient::SubmitUncounted(std::shared_ptr<Call> call) {
  const std::lock_guard lock(order_mutex_);
  Number(call.get(), false);
  loop_->Submit(std::move(call));
}

void ShardedClient::AskAllShards(std::string what, Op op, ControlBody message,
                                 std::function<void(ControlAnswers)> done) {
  auto answers = std::make_shared<std::vector<ControlBody>>(shard_count());
  auto call = std::make_shared<Call>();
  call->what = std::move(what);
  for (uint32_t i = 0; i < shard_count(); ++i) {
    Request& request = call->requests.emplace_back();
    request.shard = ShardId(i);
    request.op = op;
    request.head = HeadWithRoom(message);
    request.accept = [answers, i](std::span<const std::byte> body) {
      (*answers)[i].assign(body.begin(), body.end());
      return absl::OkStatus();
    };
  }
  Send(std::move(call), false, [answers, done = std::move(done)](const absl::Status& status) {
    status.ok() ? done(std::move(*answers)) : done(Detached(status));
  });
}

template <typename Answer, typename Message>
absl::StatusOr<std::vector<Answer>> ShardedClient::AskAll(std::string what, Op op,
                                                          const Message& message) {
  auto answers = std::make_shared<std::vector<Answer>>(shard_count());
  auto call = std::make_shared<Call>();
  call->what = std::move(what);
  for (uint32_t i = 0; i < shard_count(); ++i) {
    Request request = ControlRequest(ShardId(i), op, message);
    request.accept = [answers, i](std::span<const std::byte> body) -> absl::Status {
      ASSIGN_OR_RETURN((*answers)[i], DecodeControl<Answer>(body));
      return absl::OkStatus();
    };
    call->requests.push_back(std::move(request));
  }
  RETURN_IF_ERROR(Send(std::move(call), false).get());
  return *std::move(answers);
}

absl::StatusOr<Table> ShardedClient::CreateTable(const TableSpec& spec) {
  rowhouse::CreateTable message;
  message.spec = spec;
  ASSIGN_OR_RETURN(auto answers, AskAll<CreateTableAnswer>(StrCat("create table '", spec.name, "'"),
                                                           Op::kCreateTable, message));
  for (uint32_t i = 0; i < answers.size(); ++i) {
    if (answers[i].table != TableIdOf(spec.name)) {
      return Refuse(RefusalReason::kMalformed, "create table '", spec.name, "': shard ", i,
                    " answers with the id of another table");
    }
    if (answers[i].generation != answers[0].generation) {
      return Refuse(RefusalReason::kWrongGeneration, "create table '", spec.name,
                    "': generation is ", answers[0].generation.value(), " on shard 0, ",
                    answers[i].generation.value(), " on shard ", i);
    }
  }
  const Table table{answers[0].table, answers[0].generation, spec.dim};
  Remember(table, spec.name);
  return table;
}

absl::StatusOr<std::vector<StatsAnswer>> ShardedClient::Stats() {
  return AskAll<StatsAnswer>("stats", Op::kStats, rowhouse::Stats());
}

uint64_t SystemRandom() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  RETURN_IF_ERROR(CheckOptions(options));
  if (options.random_seed == 0) options.random_seed = SystemRandom();
  if (options.client.value() == 0) {
    // Any id but 0: that one means "none".
    options.client = ClientId(std::max<uint64_t>(1, Mix64(options.random_seed)));
  }
  ASSIGN_OR_RETURN(auto loop, ClientLoop::Connect(options));
  return std::unique_ptr<Client>(std::make_unique<ShardedClient>(options, std::move(loop)));
}

}  // namespace rowhouse
