#include "worker/checkpoint/checkpoint_driver.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "worker/checkpoint/checkpoint_directory.h"
#include "worker/client/status_text.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;
using Statuses = std::vector<CheckpointStatusAnswer>;

std::string NameOf(ClientId client, Incarnation incarnation) {
  return StrCat("client ", client.value(), " incarnation ", incarnation.value());
}

uint64_t RandomAttempt() {
  std::random_device device;
  return std::max<uint64_t>(1, uint64_t{device()} << 32 | device());
}

uint64_t SinceEpochMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

bool AllHaveReached(const Statuses& statuses, CheckpointPhase phase) {
  return std::all_of(statuses.begin(), statuses.end(),
                     [phase](const auto& status) { return status.phase >= phase; });
}

class Driver {
 public:
  Driver(Client& client, const CheckpointOptions& options, const CheckpointDirectory& directory,
         CheckpointObserver& observer)
      : client_(client),
        options_(options),
        directory_(directory),
        observer_(observer),
        attempt_(RandomAttempt()),
        deadline_(Clock::now() + std::chrono::milliseconds(options.timeout_ms)) {}

  absl::StatusOr<CheckpointManifest> Run() {
    auto manifest = Steps();
    Abandon(manifest.ok());
    return manifest;
  }

 private:
  absl::StatusOr<CheckpointManifest> Steps() {
    RETURN_IF_ERROR(
        Tell("prepare checkpoint", Op::kPrepareCheckpoint, PrepareCheckpoint{attempt_}));
    RETURN_IF_ERROR(Await(CheckpointPhase::kPrepared, CheckpointStage::kFlushing));
    ASSIGN_OR_RETURN(mark_, NextMark());
    RETURN_IF_ERROR(
        Tell(StrCat("announce mark ", mark_.value()), Op::kAnnounceMark, AnnounceMark{mark_}));
    observer_.Announced(mark_);
    RETURN_IF_ERROR(Await(CheckpointPhase::kSealed, CheckpointStage::kWaiting));
    RETURN_IF_ERROR(Tell("publish checkpoint", Op::kPublishCheckpoint,
                         PublishCheckpoint{attempt_, directory_.path()}));
    RETURN_IF_ERROR(Await(CheckpointPhase::kPublished, CheckpointStage::kCopying));
    CheckpointManifest manifest = Manifest();
    RETURN_IF_ERROR(CheckFilesAreHere(manifest));
    RETURN_IF_ERROR(directory_.Write(manifest));
    return manifest;
  }

  using Bodies = absl::StatusOr<std::vector<ControlBody>>;

  // Says it to every shard. The answers are there some day, maybe when nobody waits any more.
  template <typename Message>
  std::shared_ptr<std::optional<Bodies>> Say(std::string what, Op op, const Message& message) {
    auto answers = std::make_shared<std::optional<Bodies>>();
    client_.AskAllShards(std::move(what), op, EncodeControl(message),
                         [answers, waits = options_.cancellation](Bodies bodies) {
                           waits->Change([&] { answers->emplace(std::move(bodies)); });
                         });
    return answers;
  }

  template <typename Answer, typename Message>
  absl::StatusOr<std::vector<Answer>> Ask(std::string what, Op op, const Message& message) {
    const auto said = Say(std::move(what), op, message);
    const bool answered = options_.cancellation->Await(Cancellation::TimePoint::max(),
                                                       [&] { return said->has_value(); });
    if (!answered) return Cancelled();
    ASSIGN_OR_RETURN(const std::vector<ControlBody> bodies, **said);
    std::vector<Answer> answers;
    for (size_t i = 0; i < bodies.size(); ++i) {
      auto answer = DecodeControl<Answer>(bodies[i]);
      if (!answer.ok()) return At(StrCat("shard ", i), answer.status());
      answers.push_back(*std::move(answer));
    }
    return answers;
  }

  template <typename Message>
  absl::Status Tell(std::string what, Op op, const Message& message) {
    return Ask<Done>(std::move(what), op, message).status();
  }

  // Until all shards have reached `phase`.
  absl::Status Await(CheckpointPhase phase, CheckpointStage stage) {
    while (true) {
      ASSIGN_OR_RETURN(statuses_,
                       Ask<CheckpointStatusAnswer>("checkpoint status", Op::kCheckpointStatus,
                                                   CheckpointStatus{attempt_}));
      RETURN_IF_ERROR(CheckFailures());
      observer_.Progressed(ProgressIn(stage));
      if (AllHaveReached(statuses_, phase)) return absl::OkStatus();
      if (options_.cancellation->cancelled()) return Cancelled();
      if (Clock::now() >= deadline_) return OutOfTime(phase);
      if (stage == CheckpointStage::kWaiting) RETURN_IF_ERROR(LeaveSilentClients());
      options_.cancellation->Await(Clock::now() + std::chrono::milliseconds(options_.poll_ms),
                                   [] { return false; });
    }
  }

  static absl::Status Cancelled() { return absl::CancelledError("the checkpoint was cancelled"); }

  absl::Status CheckFailures() const {
    for (size_t i = 0; i < statuses_.size(); ++i) {
      if (statuses_[i].phase != CheckpointPhase::kFailed) continue;
      return absl::AbortedError(StrCat("shard ", i, ": ", statuses_[i].failure));
    }
    return absl::OkStatus();
  }

  CheckpointProgress ProgressIn(CheckpointStage stage) const {
    CheckpointProgress progress{stage, 0, 0, 0};
    for (const CheckpointStatusAnswer& status : statuses_) {
      progress.bytes_done += status.bytes_done;
      progress.bytes_total += status.bytes_total;
      progress.clients_unclosed = std::max(progress.clients_unclosed, status.unclosed.size());
    }
    return progress;
  }

  absl::Status OutOfTime(CheckpointPhase phase) const {
    for (size_t i = 0; i < statuses_.size(); ++i) {
      const CheckpointStatusAnswer& status = statuses_[i];
      if (status.phase >= phase) continue;
      std::string waits;
      if (!status.unclosed.empty()) {
        const UnclosedClient& first = status.unclosed.front();
        waits = StrCat("; it waits for ", status.unclosed.size(), " clients, first for ",
                       NameOf(first.client, first.incarnation), ", which was silent for ",
                       first.silent_ms, " ms: it does not end its pushes");
      }
      return absl::DeadlineExceededError(StrCat("shard ", i, " was not done within ",
                                                options_.timeout_ms,
                                                " ms, the time for a checkpoint", waits));
    }
    return absl::InternalError("every shard is done");
  }

  absl::Status LeaveSilentClients() {
    if (options_.leave_after_ms == 0) return absl::OkStatus();
    for (const UnclosedClient& gone : SilentClients(statuses_, options_.leave_after_ms)) {
      const std::string name = NameOf(gone.client, gone.incarnation);
      RETURN_IF_ERROR(Tell(StrCat("leave ", name, " behind"), Op::kLeaveClient,
                           LeaveClient{gone.client, gone.incarnation}));
      LOG(WARNING) << "checkpoint " << mark_ << ": " << name << " was silent for " << gone.silent_ms
                   << " ms; it is left behind";
      observer_.Left(gone);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Mark> NextMark() const {
    ASSIGN_OR_RETURN(const std::vector<Mark> numbers, directory_.Numbers());
    Mark highest = numbers.empty() ? Mark(0) : numbers.back();
    for (const auto& status : statuses_) highest = std::max(highest, status.mark);
    return Mark(highest.value() + 1);
  }

  CheckpointManifest Manifest() const {
    CheckpointManifest manifest;
    manifest.mark = mark_;
    manifest.timeline = client_.timeline();
    manifest.shard_count = client_.shard_count();
    manifest.slot_bits = kSlotBits;
    manifest.created_ms = SinceEpochMs();
    manifest.user_data = options_.user_data;
    manifest.half_steps = HalfStepsOf(statuses_);
    for (uint32_t i = 0; i < statuses_.size(); ++i) {
      const CheckpointStatusAnswer& status = statuses_[i];
      manifest.shards.push_back({ShardId(i), status.watermark, status.cut, status.files});
    }
    return manifest;
  }

  // A server on another host may have put its files into a directory that only has the same name.
  absl::Status CheckFilesAreHere(const CheckpointManifest& manifest) const {
    for (const ShardManifest& shard : manifest.shards) {
      for (const CheckpointFile& file : shard.files) {
        std::error_code error;
        const std::string path = directory_.PathOf(file);
        const uint64_t bytes = std::filesystem::file_size(path, error);
        if (!error && bytes == file.bytes) continue;
        return absl::FailedPreconditionError(
            StrCat("shard ", shard.shard.value(), " has put '", path, "' there, ", file.bytes,
                   " bytes, but here it ", error ? "is missing" : StrCat("has ", bytes),
                   ": the directory must be the same one for all servers and for whoever makes the "
                   "checkpoint, such as a shared file system"));
      }
    }
    return absl::OkStatus();
  }

  // Also when all is done: the shards need not keep what they published any longer. A shard that
  // does not answer lets go by itself, when it has not been asked for long.
  void Abandon(bool done) {
    const auto said = Say("end checkpoint", Op::kAbandonCheckpoint, AbandonCheckpoint{attempt_});
    const bool answered = options_.cancellation->AwaitRegardless(
        Clock::now() + std::chrono::milliseconds(options_.abandon_timeout_ms),
        [&] { return said->has_value(); });
    if (done || (answered && (*said)->ok())) return;
    LOG(WARNING) << "not every shard has said that it lets go of the checkpoint: "
                 << (answered ? (*said)->status() : absl::DeadlineExceededError("no answer yet"));
  }

  Client& client_;
  const CheckpointOptions& options_;
  const CheckpointDirectory& directory_;
  CheckpointObserver& observer_;
  const uint64_t attempt_;
  const Clock::time_point deadline_;
  Mark mark_;
  Statuses statuses_;  // the last ones
};

}  // namespace

absl::StatusOr<CheckpointManifest> CreateCheckpoint(Client& client,
                                                    const CheckpointOptions& options,
                                                    CheckpointObserver& observer) {
  ASSIGN_OR_RETURN(const auto directory, CheckpointDirectory::Create(options.directory));
  ASSIGN_OR_RETURN(const CheckpointLock lock, directory.Lock());
  auto manifest = Driver(client, options, directory, observer).Run();
  if (!manifest.ok()) return At("no checkpoint was made", manifest.status());
  return manifest;
}

std::vector<HalfStep> HalfStepsOf(std::span<const CheckpointStatusAnswer> shards) {
  using Life = std::pair<ClientId, Incarnation>;
  std::map<Life, Sequence> floors;
  std::map<Life, std::set<size_t>> tellers;
  for (size_t i = 0; i < shards.size(); ++i) {
    for (const CheckpointPart& part : shards[i].parts_of_left) {
      const Life life{part.client, part.incarnation};
      tellers[life].insert(i);
      if (part.part_count == 0) floors[life] = std::max(floors[life], part.sequence);
    }
  }
  std::map<std::pair<Life, Sequence>, HalfStep> steps;
  for (const auto& shard : shards) {
    for (const CheckpointPart& part : shard.parts_of_left) {
      const Life life{part.client, part.incarnation};
      if (part.part_count == 0 || part.sequence < floors[life]) continue;
      // Open on some shard still, where it has closed the mark: all its pushes were acknowledged.
      if (tellers[life].size() < shards.size()) continue;
      HalfStep& step = steps[{life, part.sequence}];
      step = {part.client, part.incarnation,       part.sequence,
              part.step,   step.parts_present + 1, part.part_count};
    }
  }
  std::vector<HalfStep> half;
  for (const auto& [key, step] : steps) {
    if (step.parts_present < step.parts) half.push_back(step);
  }
  return half;
}

std::vector<UnclosedClient> SilentClients(std::span<const CheckpointStatusAnswer> shards,
                                          uint64_t silent_ms) {
  std::map<std::pair<ClientId, Incarnation>, UnclosedClient> waited_for;
  for (const auto& shard : shards) {
    for (const UnclosedClient& client : shard.unclosed) {
      const auto [at, is_new] = waited_for.try_emplace({client.client, client.incarnation}, client);
      at->second.silent_ms = std::min(at->second.silent_ms, client.silent_ms);
    }
  }
  std::vector<UnclosedClient> silent;
  for (const auto& [life, client] : waited_for) {
    if (client.silent_ms >= silent_ms) silent.push_back(client);
  }
  return silent;
}

}  // namespace rowhouse
