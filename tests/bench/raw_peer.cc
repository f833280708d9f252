#include "tests/bench/raw_peer.h"

#include <sys/socket.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/status_macros.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kNumbersApart = 7919;

// The clients of one measurement, from the first greeting to the first that leaves.
void ServeGroup(const RawListener& listener, const std::vector<RawWork>& works) {
  std::vector<RawSocket> peers;
  RawGreeting greeting;
  do {
    peers.push_back(AcceptRaw(listener));
    if (!peers.back().ReadAll(std::as_writable_bytes(std::span(&greeting, 1)))) return;
  } while (peers.size() < greeting.clients);
  if (greeting.work >= works.size()) return;
  const RawWork& work = works[greeting.work];
  std::vector<std::byte> request(greeting.sizes.request_bytes);
  std::vector<std::byte> answer(greeting.sizes.answer_bytes, std::byte{1});
  for (size_t at = 0; !peers.empty();) {
    at = WaitForAny(peers, at);
    if (!peers[at].ReadAll(request) || !work(request, answer, peers[at])) {
      peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(at));
      at = 0;
    }
  }
}

class OneClient {
 public:
  OneClient(RawSocket socket, uint64_t first_number, const RawLoadOptions& options)
      : socket_(std::move(socket)),
        first_number_(first_number),
        options_(options),
        request_(options.sizes.request_bytes, std::byte{2}),
        answer_(options.sizes.answer_bytes),
        sent_at_(options.in_flight) {}

  void Run(Clock::time_point end) {
    uint64_t sent = 0;
    while (alive_ && sent < options_.in_flight) Send(sent++);
    while (alive_ && answered_ < sent) {
      alive_ = socket_.ReadAll(answer_);
      if (!alive_) return;
      const auto now = Clock::now();
      const auto took = now - sent_at_[answered_++ % sent_at_.size()];
      latencies_ms_.push_back(std::chrono::duration<float, std::milli>(took).count());
      if (now < end) Send(sent++);
    }
  }

  bool alive() const { return alive_; }
  uint64_t answered() const { return answered_; }
  const std::vector<float>& latencies_ms() const { return latencies_ms_; }

 private:
  void Send(uint64_t number) {
    if (options_.fill) options_.fill(first_number_ + number, number == 0, request_);
    sent_at_[number % sent_at_.size()] = Clock::now();
    alive_ = socket_.WriteAll(request_);
  }

  RawSocket socket_;
  const uint64_t first_number_;
  const RawLoadOptions& options_;
  std::vector<std::byte> request_;
  std::vector<std::byte> answer_;
  std::vector<Clock::time_point> sent_at_;  // by number, in turn
  std::vector<float> latencies_ms_;
  bool alive_ = true;
  uint64_t answered_ = 0;
};

}  // namespace

bool NoWork(std::span<const std::byte>, std::span<std::byte> answer, const RawSocket& peer) {
  return peer.WriteAll(answer);
}

void ServeRaw(const RawListener& listener, const std::vector<RawWork>& works) {
  while (true) ServeGroup(listener, works);
}

absl::StatusOr<LoadResult> KeepBusy(std::vector<RawSocket> sockets, const RawLoadOptions& options) {
  std::vector<OneClient> clients;
  for (size_t i = 0; i < sockets.size(); ++i) {
    clients.emplace_back(std::move(sockets[i]), i * kNumbersApart, options);
  }
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(options.seconds));
  std::vector<std::thread> others;
  for (size_t i = 1; i < clients.size(); ++i) {
    others.emplace_back([&client = clients[i], end] { client.Run(end); });
  }
  clients.front().Run(end);
  for (std::thread& other : others) other.join();
  LoadResult result;
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (const OneClient& client : clients) {
    if (!client.alive()) return absl::UnavailableError("bench: a peer hung up");
    result.requests += client.answered();
    result.latencies_ms.insert(result.latencies_ms.end(), client.latencies_ms().begin(),
                               client.latencies_ms().end());
  }
  return result;
}

absl::StatusOr<LoadResult> RawLoad(const RawEndpoint& endpoint, uint64_t work, uint64_t clients,
                                   const RawLoadOptions& options) {
  const RawGreeting greeting{options.sizes, clients, work};
  std::vector<RawSocket> sockets;
  for (uint64_t i = 0; i < clients; ++i) {
    ASSIGN_OR_RETURN(RawSocket socket, ConnectRaw(endpoint));
    socket.WriteAll(std::as_bytes(std::span(&greeting, 1)));
    sockets.push_back(std::move(socket));
  }
  return KeepBusy(std::move(sockets), options);
}

}  // namespace rowhouse
