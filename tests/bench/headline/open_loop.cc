#include "tests/bench/headline/open_loop.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include "common/status_macros.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAnswerMax = std::chrono::seconds(30);

}  // namespace

std::vector<Arrival> DrawArrivals(double rate, double seconds, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(rate);
  std::vector<Arrival> arrivals;
  for (double due = gap(random); due < seconds || arrivals.empty(); due += gap(random)) {
    arrivals.push_back({std::chrono::nanoseconds(static_cast<int64_t>(due * 1e9)),
                        arrivals.size() % kPushEvery == kPushEvery - 1});
  }
  return arrivals;
}

absl::StatusOr<std::vector<double>> RunOpenLoop(const std::vector<Arrival>& arrivals,
                                                OpenLoopPeer* peer) {
  std::vector<double> latencies_ms;
  latencies_ms.reserve(arrivals.size());
  const auto begin = Clock::now();
  size_t sent = 0;
  for (size_t answered = 0; answered < arrivals.size();) {
    const bool may_send = sent < arrivals.size() && sent - answered < kOpenMax;
    const auto due = may_send ? begin + arrivals[sent].due : Clock::now() + kAnswerMax;
    if (sent == answered) {
      std::this_thread::sleep_until(due);
    } else {
      ASSIGN_OR_RETURN(const bool is_answered, peer->TakeAnswer(due));
      if (is_answered) {
        const Arrival& arrival = arrivals[answered++];
        if (!arrival.is_push) latencies_ms.push_back(SecondsSince(begin + arrival.due) * 1e3);
        continue;
      }
      if (!may_send) return absl::DeadlineExceededError("bench: no answer in an open loop");
    }
    RETURN_IF_ERROR(peer->Send(arrivals[sent].is_push, sent % kOpenMax));
    ++sent;
  }
  return latencies_ms;
}

double Percentile(std::vector<double> values, double share) {
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::ceil(share * last));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace rowhouse
