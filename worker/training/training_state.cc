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

std::string EncodeTrainingState(const JobIdentity& job, const TrainingProgress& progress) {
  return json::serialize(json::object{{kName, 1},
                                      {"epoch", progress.epoch},
                                      {"step", progress.step},
                                      {"data_offset", progress.epoch_steps_done * job.batch_rows},
                                      {"job", ToJson(job)}});
}

absl::Status CheckSameJob(std::string_view user_data, const JobIdentity& job) {
  boost::system::error_code error;
  const json::value parsed = json::parse({user_data.data(), user_data.size()}, error);
  if (error.failed() || !parsed.is_object() || !parsed.get_object().contains(kName)) {
    return absl::OkStatus();
  }
  const json::value* recorded = parsed.get_object().if_contains("job");
  if (recorded == nullptr || !recorded->is_object()) return absl::OkStatus();
  for (const auto& member : ToJson(job)) {
    const json::value* value = recorded->get_object().if_contains(member.key());
    if (value == nullptr) continue;
    // A number that was parsed may have another sign than one that was made: compare the text.
    RETURN_IF_ERROR(CheckSame({member.key().data(), member.key().size()}, json::serialize(*value),
                              json::serialize(member.value())));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse
