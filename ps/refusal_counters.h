// How often the server refused something, by reason. Shared by all threads of one server process.
//
// Threading: any thread. Cost: a relaxed addition, on refusals only.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/refusal.h"
#include "common/text.h"
#include "common/wire/control.h"

namespace rowhouse {

class RefusalCounters {
 public:
  void Count(const absl::Status& status) {
    const auto i = static_cast<uint32_t>(ReasonOf(status));
    counts_[i < kRefusalReasonCount ? i : 0].fetch_add(1, std::memory_order_relaxed);
  }

  // "server_refused_<reason>" for every reason that occurred.
  void AppendTo(std::vector<Counter>* counters) const {
    for (uint32_t i = 0; i < kRefusalReasonCount; ++i) {
      const uint64_t count = counts_[i].load(std::memory_order_relaxed);
      if (count == 0) continue;
      counters->push_back(
          {StrCat("server_refused_", RefusalReasonName(static_cast<RefusalReason>(i))), count});
    }
  }

 private:
  std::array<std::atomic<uint64_t>, kRefusalReasonCount> counts_ = {};
};

}  // namespace rowhouse
