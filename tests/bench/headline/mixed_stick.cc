#include "tests/bench/headline/mixed_stick.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <span>
#include <utility>

#include "common/status_macros.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::byte kPull{0};  // the first byte of a request
constexpr std::byte kPush{1};

// One connection, until it is closed.
void ServeOne(const RawSocket& peer, const MixedSizes& sizes) {
  std::vector<std::byte> request(sizes.push.request_bytes);
  const std::vector<std::byte> answer(std::max(sizes.pull.answer_bytes, sizes.push.answer_bytes));
  const std::span<std::byte> head = std::span(request).first(sizes.pull.request_bytes);
  const std::span<std::byte> rest = std::span(request).subspan(sizes.pull.request_bytes);
  while (peer.ReadAll(head)) {
    const bool is_push = head.front() == kPush;
    if (is_push && !peer.ReadAll(rest)) return;
    const PlainSizes& own = is_push ? sizes.push : sizes.pull;
    if (!peer.WriteAll(std::span(answer).first(own.answer_bytes))) return;
  }
}

class MixedClient final : public OpenLoopPeer {
 public:
  MixedClient(RawSocket socket, const MixedSizes& sizes)
      : socket_(std::move(socket)),
        sizes_(sizes),
        pull_(sizes.pull.request_bytes, kPull),
        push_(sizes.push.request_bytes, kPush),
        answer_(std::max(sizes.pull.answer_bytes, sizes.push.answer_bytes)) {}

  absl::Status Send(bool is_push, size_t) override {
    waiting_.push_back(is_push);
    return socket_.WriteAll(is_push ? push_ : pull_) ? absl::OkStatus() : HungUp();
  }

  absl::StatusOr<bool> TakeAnswer(Clock::time_point until) override {
    if (!WaitUntil(until)) return false;
    const PlainSizes& own = waiting_.front() ? sizes_.push : sizes_.pull;
    waiting_.pop_front();
    if (!socket_.ReadAll(std::span(answer_).first(own.answer_bytes))) return HungUp();
    return true;
  }

 private:
  static absl::Status HungUp() { return absl::UnavailableError("bench: a peer hung up"); }

  bool WaitUntil(Clock::time_point until) const {
    const auto left = std::max(until - Clock::now(), Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec timeout{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
    pollfd entry = {socket_.fd(), POLLIN, 0};
    return ::ppoll(&entry, 1, &timeout, nullptr) == 1;
  }

  const RawSocket socket_;
  const MixedSizes& sizes_;
  const std::vector<std::byte> pull_;
  const std::vector<std::byte> push_;
  std::vector<std::byte> answer_;
  std::deque<bool> waiting_;  // whether it is a push; oldest first
};

}  // namespace

absl::StatusOr<std::unique_ptr<MixedStick>> MixedStick::Start(const MixedSizes& sizes,
                                                              const CpuSplit& cpus) {
  ASSIGN_OR_RETURN(const RawListener listener, ListenRaw());
  const auto serve = [&] {
    while (true) ServeOne(AcceptRaw(listener), sizes);
  };
  ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Call(serve, cpus.servers));
  return std::unique_ptr<MixedStick>(new MixedStick(sizes, std::move(process), listener.endpoint));
}

absl::StatusOr<std::unique_ptr<OpenLoopPeer>> MixedStick::Connect() const {
  ASSIGN_OR_RETURN(RawSocket socket, ConnectRaw(endpoint_));
  return std::make_unique<MixedClient>(std::move(socket), sizes_);
}

}  // namespace rowhouse
