#include "tests/bench/bare_work.h"

#include <cstring>
#include <vector>

namespace rowhouse {
namespace {

// Pushed pieces of an answer are still in the second cache when the system copies them.
constexpr size_t kPieceRows = 512;
constexpr size_t kAckBytes = 64;

class Work {
 public:
  explicit Work(const BatchPlan* plan) : plan_(plan), table_(plan->KeysInOrder(), plan->dim()) {}

  bool Pull(std::span<const std::byte> request, std::span<std::byte> answer, const RawSocket& peer,
            size_t piece_rows) {
    const std::span<const Key> keys(reinterpret_cast<const Key*>(request.data()),
                                    request.size() / sizeof(Key));
    const size_t row_bytes = plan_->dim() * sizeof(float);
    for (size_t first = 0; first < keys.size(); first += piece_rows) {
      const auto piece = keys.subspan(first, std::min(piece_rows, keys.size() - first));
      const auto rows = answer.subspan(first * row_bytes, piece.size() * row_bytes);
      table_.Gather(piece, reinterpret_cast<float*>(rows.data()));
      if (!peer.WriteAll(rows)) return false;
    }
    return true;
  }

  bool Push(std::span<const std::byte> request, std::span<std::byte> answer,
            const RawSocket& peer) {
    const size_t rows = request.size() / (sizeof(Key) + plan_->dim() * sizeof(float));
    const auto* const keys = reinterpret_cast<const Key*>(request.data());
    table_.Update({keys, rows}, reinterpret_cast<const float*>(keys + rows));
    return peer.WriteAll(answer);
  }

 private:
  const BatchPlan* const plan_;
  BareTable table_;
};

FillRequest Fill(const BatchPlan* plan, bool with_gradients) {
  return [plan, with_gradients](uint64_t number, bool is_first, std::span<std::byte> request) {
    const auto keys = plan->keys(number % plan->batch_count());
    std::memcpy(request.data(), keys.data(), keys.size_bytes());
    if (!with_gradients || !is_first) return;
    std::memcpy(request.data() + keys.size_bytes(), plan->gradients().data(),
                plan->gradients().size_bytes());
  };
}

}  // namespace

std::vector<RawWork> BareWorks(const BatchPlan* plan) {
  const auto work = std::make_shared<Work>(plan);
  return {NoWork,
          [work](auto request, auto answer, const RawSocket& peer) {
            return work->Pull(request, answer, peer, kPieceRows);
          },
          [work](auto request, auto answer, const RawSocket& peer) {
            return work->Push(request, answer, peer);
          },
          [work](auto request, auto answer, const RawSocket& peer) {
            return work->Pull(request, answer, peer, SIZE_MAX);
          }};
}

PlainSizes BarePullSizes(const BatchPlan& plan) {
  return {plan.batch_rows() * sizeof(Key), plan.batch_floats() * sizeof(float)};
}

PlainSizes BarePushSizes(const BatchPlan& plan) {
  return {plan.batch_rows() * sizeof(Key) + plan.batch_floats() * sizeof(float), kAckBytes};
}

FillRequest BarePulls(const BatchPlan* plan) { return Fill(plan, false); }
FillRequest BarePushes(const BatchPlan* plan) { return Fill(plan, true); }

}  // namespace rowhouse
