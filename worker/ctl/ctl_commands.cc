#include "worker/ctl/ctl_commands.h"

#include <boost/json.hpp>
#include <chrono>
#include <ctime>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/checkpoint/checkpoint_verify.h"
#include "worker/commands/output.h"
#include "worker/ctl/run_program.h"
#include "worker/progress.h"

namespace rowhouse {
namespace {

namespace json = boost::json;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// "2026-11-24 23:01:27 UTC"
std::string FormatTime(uint64_t since_epoch_ms) {
  const auto seconds = static_cast<std::time_t>(since_epoch_ms / 1000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

json::array NumbersJson(const std::vector<Mark>& marks) {
  json::array list;
  for (const Mark mark : marks) list.push_back(mark.value());
  return list;
}

std::string NumbersText(const std::vector<Mark>& marks) {
  std::string text;
  for (const Mark mark : marks) text = StrCat(text, text.empty() ? "" : ", ", mark.value());
  return text.empty() ? "none" : text;
}

std::string Count(uint64_t count, std::string_view one) {
  return StrCat(count, " ", one, count == 1 ? "" : "s");
}

// --- create

class CreateProgress : public CheckpointObserver {
 public:
  void Progressed(const CheckpointProgress& progress) override {
    if (progress.stage != stage_) {
      stage_ = progress.stage;
      stage_start_ = std::chrono::steady_clock::now();
    }
    last_ = progress;
    line_.Update(SecondsSince(start_), [this](size_t columns) { return Text(columns); });
  }
  void Left(const UnclosedClient& client) override { left.push_back(client); }
  void End() {
    line_.Finish([this](size_t columns) { return Text(columns); });
  }
  double seconds() const { return SecondsSince(start_); }

  std::vector<UnclosedClient> left;

 private:
  std::string Text(size_t columns) const {
    if (last_.stage == CheckpointStage::kWaiting) {
      return StrCat("waiting for ", Count(last_.clients_unclosed, "worker"),
                    " to end the steps that belong to the checkpoint");
    }
    const char* what = last_.stage == CheckpointStage::kFlushing ? "flushing" : "copying";
    return FormatTransfer({what, last_.bytes_done, last_.bytes_total}, SecondsSince(stage_start_),
                          columns);
  }

  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point stage_start_ = start_;
  CheckpointStage stage_ = CheckpointStage::kFlushing;
  CheckpointProgress last_;
  StatusLine line_ = StatusLineOnStderr();
};

json::array HalfStepsJson(const std::vector<HalfStep>& half_steps) {
  json::array list;
  for (const HalfStep& half : half_steps) {
    list.push_back(json::object{{"client", half.client.value()},
                                {"incarnation", half.incarnation.value()},
                                {"step", half.step.value()},
                                {"parts_present", half.parts_present},
                                {"parts", half.parts}});
  }
  return list;
}

json::array LeftJson(const std::vector<UnclosedClient>& left) {
  json::array list;
  for (const UnclosedClient& client : left) {
    list.push_back(json::object{{"client", client.client.value()},
                                {"incarnation", client.incarnation.value()},
                                {"silent_ms", client.silent_ms}});
  }
  return list;
}

uint64_t FileCount(const CheckpointManifest& manifest) {
  uint64_t count = 0;
  for (const ShardManifest& shard : manifest.shards) count += shard.files.size();
  return count;
}

void PrintCreated(const CheckpointManifest& manifest, const CreateProgress& progress) {
  PrintLine(absl::StrFormat("checkpoint %d: %s of %s, %s, in %.1f s", manifest.mark.value(),
                            FormatBytes(DistinctBytes(manifest)),
                            Count(manifest.shards.size(), "shard"),
                            Count(FileCount(manifest), "file"), progress.seconds()));
  for (const UnclosedClient& client : progress.left) {
    PrintLine(StrCat("client ", client.client.value(), " incarnation ", client.incarnation.value(),
                     " was silent for ", client.silent_ms, " ms and is left behind"));
  }
  for (const HalfStep& half : manifest.half_steps) {
    PrintLine(StrCat("step ", half.step.value(), " of client ", half.client.value(),
                     ", which left, is half done: ", half.parts_present, " of ", half.parts,
                     " parts are in the checkpoint"));
  }
}

absl::StatusOr<int> RunCreate(const CtlOptions& options, const std::function<void()>& connected) {
  ASSIGN_OR_RETURN(const auto client, Client::Connect(options.client));
  connected();
  CreateProgress progress;
  const auto manifest = CreateCheckpoint(*client, options.checkpoint, progress);
  progress.End();
  if (!manifest.ok()) return manifest.status();
  if (options.json) {
    PrintLine(json::serialize(json::object{{"checkpoint", manifest->mark.value()},
                                           {"bytes", DistinctBytes(*manifest)},
                                           {"files", FileCount(*manifest)},
                                           {"shards", manifest->shard_count},
                                           {"left", LeftJson(progress.left)},
                                           {"half_steps", HalfStepsJson(manifest->half_steps)},
                                           {"seconds", progress.seconds()}}));
  } else {
    PrintCreated(*manifest, progress);
  }
  return kExitDone;
}

// --- list

json::object ListedJson(Mark mark, const absl::StatusOr<CheckpointManifest>& manifest) {
  if (!manifest.ok()) {
    return {{"checkpoint", mark.value()}, {"error", std::string(manifest.status().message())}};
  }
  return {{"checkpoint", mark.value()},
          {"created_ms", manifest->created_ms},
          {"created", FormatTime(manifest->created_ms)},
          {"bytes", DistinctBytes(*manifest)},
          {"shards", manifest->shard_count},
          {"half_steps", HalfStepsJson(manifest->half_steps)},
          {"user_data", manifest->user_data}};
}

std::string ListedText(Mark mark, const absl::StatusOr<CheckpointManifest>& manifest) {
  if (!manifest.ok()) {
    return absl::StrFormat("%8d  %s", mark.value(), std::string(manifest.status().message()));
  }
  return absl::StrFormat("%8d  %s  %9s  %s  %s", mark.value(), FormatTime(manifest->created_ms),
                         FormatBytes(DistinctBytes(*manifest)),
                         Count(manifest->shard_count, "shard"), manifest->user_data);
}

absl::StatusOr<int> RunList(const CtlOptions& options) {
  ASSIGN_OR_RETURN(const auto directory, CheckpointDirectory::Open(options.checkpoint.directory));
  ASSIGN_OR_RETURN(const auto numbers, directory.Numbers());
  int code = kExitDone;
  json::array list;
  for (const Mark mark : numbers) {
    const auto manifest = directory.Read(mark);
    if (!manifest.ok()) code = kExitFailed;
    list.push_back(ListedJson(mark, manifest));
    if (!options.json) PrintLine(ListedText(mark, manifest));
  }
  if (options.json) PrintLine(json::serialize(json::object{{"checkpoints", list}}));
  if (!options.json && numbers.empty()) PrintLine("no checkpoints");
  return code;
}

// --- verify

absl::StatusOr<std::vector<Mark>> Chosen(const CtlOptions& options,
                                         const CheckpointDirectory& directory) {
  if (options.number != 0) return std::vector<Mark>{Mark(options.number)};
  ASSIGN_OR_RETURN(std::vector<Mark> numbers, directory.Numbers());
  if (numbers.empty()) {
    return absl::NotFoundError(StrCat("there is no checkpoint in '", directory.path(), "'"));
  }
  if (!options.all) numbers.erase(numbers.begin(), numbers.end() - 1);
  return numbers;
}

absl::StatusOr<CheckpointVerdict> VerifyWithProgress(const CheckpointDirectory& directory,
                                                     Mark mark) {
  const auto start = std::chrono::steady_clock::now();
  StatusLine line = StatusLineOnStderr();
  TransferProgress progress{StrCat("reading checkpoint ", mark.value()), 0, 0};
  const auto text = [&](size_t columns) {
    return FormatTransfer(progress, SecondsSince(start), columns);
  };
  auto verdict = VerifyCheckpoint(directory, mark, [&](uint64_t done, uint64_t total) {
    progress.bytes_done = done;
    progress.bytes_total = total;
    line.Update(SecondsSince(start), text);
  });
  line.Finish(text);
  return verdict;
}

void PrintVerdict(const CheckpointVerdict& verdict, bool as_json) {
  if (as_json) {
    json::array damages;
    for (const std::string& damage : verdict.damages) damages.push_back(json::string(damage));
    PrintLine(json::serialize(json::object{{"checkpoint", verdict.mark.value()},
                                           {"files", verdict.files},
                                           {"bytes", verdict.bytes},
                                           {"damages", damages}}));
    return;
  }
  PrintLine(StrCat("checkpoint ", verdict.mark.value(), ": ", Count(verdict.files, "file"), ", ",
                   FormatBytes(static_cast<double>(verdict.bytes)), ", ",
                   verdict.damages.empty() ? "good" : Count(verdict.damages.size(), "damage")));
  for (const std::string& damage : verdict.damages) PrintLine(StrCat("  ", damage));
}

absl::StatusOr<int> RunVerify(const CtlOptions& options) {
  ASSIGN_OR_RETURN(const auto directory, CheckpointDirectory::Open(options.checkpoint.directory));
  ASSIGN_OR_RETURN(const auto numbers, Chosen(options, directory));
  int code = kExitDone;
  for (const Mark mark : numbers) {
    auto verdict = VerifyWithProgress(directory, mark);
    if (!verdict.ok()) {
      if (numbers.size() == 1) return verdict.status();
      verdict = CheckpointVerdict{mark, 0, 0, {std::string(verdict.status().message())}};
    }
    PrintVerdict(*verdict, options.json);
    if (!verdict->damages.empty()) code = kExitFailed;
  }
  return code;
}

// --- prune

absl::StatusOr<int> RunPrune(const CtlOptions& options) {
  ASSIGN_OR_RETURN(const auto directory, CheckpointDirectory::Open(options.checkpoint.directory));
  ASSIGN_OR_RETURN(const PruneResult result,
                   PruneCheckpoints(directory, options.retention, options.dry_run));
  if (options.json) {
    PrintLine(json::serialize(json::object{{"kept", NumbersJson(result.kept)},
                                           {"removed", NumbersJson(result.removed)},
                                           {"files_removed", result.files.size()},
                                           {"bytes_removed", result.bytes},
                                           {"dry_run", options.dry_run}}));
    return kExitDone;
  }
  PrintLine(StrCat(options.dry_run ? "would remove" : "removed", " checkpoints ",
                   NumbersText(result.removed), " and ", Count(result.files.size(), "file"), ", ",
                   FormatBytes(static_cast<double>(result.bytes))));
  PrintLine(StrCat("kept checkpoints ", NumbersText(result.kept)));
  return kExitDone;
}

// --- what rowhouse-ps does

absl::StatusOr<int> RunServerCommand(const CtlOptions& options, const std::string& command) {
  std::string program = options.server_program;
  if (program.empty()) {
    ASSIGN_OR_RETURN(program, ProgramBesideThis("rowhouse-ps"));
  }
  std::vector<std::string> arguments = {command};
  arguments.insert(arguments.end(), options.passed_flags.begin(), options.passed_flags.end());
  return BecomeProgram(program, arguments);
}

}  // namespace

absl::StatusOr<int> RunCtl(const CtlOptions& options, const std::function<void()>& connected) {
  switch (options.command) {
    case CtlCommand::kCreate:
      return RunCreate(options, connected);
    case CtlCommand::kList:
      return RunList(options);
    case CtlCommand::kVerifyCheckpoint:
      return RunVerify(options);
    case CtlCommand::kPrune:
      return RunPrune(options);
    case CtlCommand::kRestore:
      return RunServerCommand(options, "restore");
    case CtlCommand::kVerifyData:
      return RunServerCommand(options, "verify");
  }
  return absl::InternalError("no such command");
}

}  // namespace rowhouse
