#include "worker/training/training_state.h"

#include <boost/json.hpp>
#include <cstring>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

namespace json = boost::json;

constexpr const char* kName = "rowhouse_training";
constexpr const char* kEverySteps = "checkpoint_every_steps";

std::string Hex(uint64_t value) { return absl::StrFormat("%016x", value); }

absl::Status CheckSame(std::string_view what, const std::string& recorded,
                       const std::string& present) {
  if (recorded == present) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat("the checkpoint was made by a job with ", what, " ",
                                              recorded, ", this one has ", present,
                                              ": resume with the same, or start anew without "
                                              "--resume"));
}

json::object ToJson(const JobIdentity& job) {
  return {{"examples", job.examples},
          {"data_xxh3", Hex(job.data_checksum)},
          {"batch_rows", job.batch_rows},
          {"seed", job.seed},
          {"world", job.world}};
}

json::object ToJson(const RunShape& run) {
  return {{kEverySteps, run.checkpoint_every_steps}, {"prefetch_steps", run.prefetch_steps}};
}

// The object of that name in what a training job has written; empty where there is none.
json::object Recorded(std::string_view user_data, const char* name) {
  boost::system::error_code error;
  const json::value parsed = json::parse({user_data.data(), user_data.size()}, error);
  if (error.failed() || !parsed.is_object() || !parsed.get_object().contains(kName)) return {};
  const json::value* recorded = parsed.get_object().if_contains(name);
  return recorded != nullptr && recorded->is_object() ? recorded->get_object() : json::object();
}

}  // namespace

JobIdentity IdentityOf(std::span<const Rating> ratings, const ScheduleOptions& schedule) {
  // Field by field: what lies between them is not part of a rating.
  std::vector<uint64_t> words;
  words.reserve(3 * ratings.size());
  for (const Rating& rating : ratings) {
    uint32_t value = 0;
    std::memcpy(&value, &rating.value, sizeof(value));
    words.insert(words.end(), {rating.user.value(), rating.item.value(), value});
  }
  return {ratings.size(), Checksum(std::as_bytes(std::span(words))), schedule.batch_rows,
          schedule.seed, schedule.world};
}

std::string EncodeTrainingState(const JobIdentity& job, const RunShape& run,
                                const TrainingProgress& progress) {
  return json::serialize(json::object{{kName, 1},
                                      {"epoch", progress.epoch},
                                      {"step", progress.step},
                                      {"data_offset", progress.epoch_steps_done * job.batch_rows},
                                      {"job", ToJson(job)},
                                      {"run", ToJson(run)}});
}

absl::Status CheckSameJob(std::string_view user_data, const JobIdentity& job) {
  const json::object recorded = Recorded(user_data, "job");
  for (const auto& member : ToJson(job)) {
    const json::value* value = recorded.if_contains(member.key());
    if (value == nullptr) continue;
    // A number that was parsed may have another sign than one that was made: compare the text.
    RETURN_IF_ERROR(CheckSame({member.key().data(), member.key().size()}, json::serialize(*value),
                              json::serialize(member.value())));
  }
  return absl::OkStatus();
}

std::string WhatChangesBits(std::string_view user_data, const RunShape& run) {
  const json::object recorded = Recorded(user_data, "run");
  std::string differences;
  for (const auto& member : ToJson(run)) {
    const json::value* value = recorded.if_contains(member.key());
    if (value == nullptr) return "";
    const std::string before = json::serialize(*value);
    const std::string_view name(member.key().data(), member.key().size());
    if (name == kEverySteps && before == "0") return "";
    const std::string now = json::serialize(member.value());
    if (before == now) continue;
    differences = StrCat(differences, differences.empty() ? "" : " and ", name, " ", before,
                         " (this one has ", now, ")");
  }
  if (differences.empty()) return "";
  return StrCat("the newest checkpoint was made by a run with ", differences,
                ": this run applies every step once, but does not end with the same bits as one "
                "that was not interrupted; for those, resume with the same values");
}

}  // namespace rowhouse
