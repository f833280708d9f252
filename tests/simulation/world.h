// What all parts of one run share: the clock, the dice, the trace and the verdict.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/types.h"
#include "common/wire/frame.h"
#include "storage/disk_tier.h"
#include "storage/log_files.h"
#include "storage/push_log.h"
#include "tests/simulation/depot.h"
#include "tests/simulation/event_queue.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/trace.h"
#include "worker/random.h"

namespace rowhouse {

// Parts of a shard's surroundings that a test replaces by broken ones; null: the part is sound.
struct Sabotage {
  std::function<std::unique_ptr<DiskTier>(std::unique_ptr<DiskTier>)> disk;
  std::function<std::unique_ptr<LogFiles>(std::unique_ptr<LogFiles>)> files;
  std::function<std::unique_ptr<PushLog>(std::unique_ptr<PushLog>)> log;
  std::function<Mark(Mark)> push_mark;  // that a client puts on a push
};

struct World {
  World(uint64_t seed, size_t trace_lines_max)
      : random(seed), trace(&events, trace_lines_max), plan(DrawPlan(&random)) {}

  EventQueue events;
  Random random;
  Trace trace;
  const Plan plan;
  Sabotage sabotage;
  absl::Status verdict;  // the first check that was violated
  Depot depot;
  std::map<std::string, uint64_t, std::less<>> counts;

  bool failed() const { return !verdict.ok(); }
  void Expect(const absl::Status& status) {
    if (status.ok() || failed()) return;
    verdict = status;
    trace.Note("VIOLATED ", std::string(status.message()));
  }
  void Count(std::string_view what, uint64_t n = 1) { counts[std::string(what)] += n; }

  uint64_t Between(uint64_t low, uint64_t high) { return low + random.Below(high - low + 1); }
  bool OneIn(uint64_t n) { return random.Below(n) == 0; }
};

}  // namespace rowhouse
