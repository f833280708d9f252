#include "tests/bench/redis_peer.h"

#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>

#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr char kProgram[] = "/usr/bin/redis-server";
constexpr auto kStartTimeout = std::chrono::seconds(20);
constexpr auto kStartLook = std::chrono::milliseconds(20);

// Writes a command of Redis's protocol (RESP 2): all of fixed length here.
class CommandWriter {
 public:
  explicit CommandWriter(std::byte* at) : at_(at) {}

  void Array(size_t count) { Text(StrCat("*", count, "\r\n")); }
  void Bulk(std::string_view bytes) {
    Text(StrCat("$", bytes.size(), "\r\n"));
    Text(bytes);
    Text("\r\n");
  }
  std::byte* at() const { return at_; }

 private:
  void Text(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  std::byte* at_;
};

std::string_view BytesOf(const Key& key) {
  return {reinterpret_cast<const char*>(&key), sizeof(key)};
}

size_t BulkBytes(size_t bytes) { return StrCat("$", bytes, "\r\n").size() + bytes + 2; }

size_t GetBytes(const BatchPlan& plan) {
  return StrCat("*", plan.batch_rows() + 1, "\r\n").size() + BulkBytes(4) +
         plan.batch_rows() * BulkBytes(sizeof(Key));
}

size_t SetBytes(const BatchPlan& plan) {
  return StrCat("*", 2 * plan.batch_rows() + 1, "\r\n").size() + BulkBytes(4) +
         plan.batch_rows() * (BulkBytes(sizeof(Key)) + BulkBytes(plan.dim() * sizeof(float)));
}

size_t RowsBytes(const BatchPlan& plan) {
  return StrCat("*", plan.batch_rows(), "\r\n").size() +
         plan.batch_rows() * BulkBytes(plan.dim() * sizeof(float));
}

void WriteGet(std::span<const Key> keys, std::byte* at) {
  CommandWriter command(at);
  command.Array(keys.size() + 1);
  command.Bulk("MGET");
  for (const Key& key : keys) command.Bulk(BytesOf(key));
}

void WriteSet(const BatchPlan& plan, size_t batch, std::byte* at) {
  CommandWriter command(at);
  const auto keys = plan.keys(batch);
  command.Array(2 * keys.size() + 1);
  command.Bulk("MSET");
  const auto* const rows = reinterpret_cast<const char*>(plan.gradients().data());
  const size_t row_bytes = plan.dim() * sizeof(float);
  for (size_t i = 0; i < keys.size(); ++i) {
    command.Bulk(BytesOf(keys[i]));
    command.Bulk({rows + i * row_bytes, row_bytes});
  }
}

void WriteRows(const BatchPlan& plan, std::byte* at) {
  CommandWriter answer(at);
  answer.Array(plan.batch_rows());
  const auto* const rows = reinterpret_cast<const char*>(plan.gradients().data());
  const size_t row_bytes = plan.dim() * sizeof(float);
  for (size_t i = 0; i < plan.batch_rows(); ++i) answer.Bulk({rows + i * row_bytes, row_bytes});
}

// Redis answers once it has started.
absl::Status WaitForStart(const RawEndpoint& endpoint, const std::string& log_file) {
  const auto give_up = std::chrono::steady_clock::now() + kStartTimeout;
  while (!ConnectRaw(endpoint).ok()) {
    if (std::chrono::steady_clock::now() > give_up) {
      return absl::UnavailableError(
          StrCat(kProgram,
                 " does not start; it is a package of deploy/install-deps --test, its "
                 "log is ",
                 log_file));
    }
    std::this_thread::sleep_for(kStartLook);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisPeer>> RedisPeer::Start(const BatchPlan* plan,
                                                            const std::string& run_dir,
                                                            const std::vector<int>& cpus) {
  RawEndpoint endpoint;
  {
    ASSIGN_OR_RETURN(const RawListener free_port, ListenRaw());
    endpoint = free_port.endpoint;
  }
  const std::string log_file = StrCat(run_dir, "/redis.log");
  ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Run({kProgram, "--port", StrCat(endpoint.port), "--bind", "127.0.0.1", "--save",
                         "", "--appendonly", "no", "--dir", run_dir},
                        log_file, cpus));
  RETURN_IF_ERROR(WaitForStart(endpoint, log_file));
  std::unique_ptr<RedisPeer> peer(new RedisPeer(plan, endpoint, std::move(process)));
  RETURN_IF_ERROR(peer->FillAll());
  return peer;
}

absl::Status RedisPeer::FillAll() const {
  ASSIGN_OR_RETURN(const RawSocket socket, ConnectRaw(endpoint_));
  std::vector<std::byte> command(SetBytes(*plan_));
  std::byte answer[5];
  for (size_t batch = 0; batch < plan_->batch_count(); ++batch) {
    WriteSet(*plan_, batch, command.data());
    if (!socket.WriteAll(command) || !socket.ReadAll(answer) ||
        std::memcmp(answer, "+OK\r\n", 5) != 0) {
      return absl::UnavailableError("Redis does not take the rows");
    }
  }
  return CheckRows(socket);
}

absl::Status RedisPeer::CheckRows(const RawSocket& socket) const {
  std::vector<std::byte> command(GetBytes(*plan_));
  std::vector<std::byte> expected(RowsBytes(*plan_));
  std::vector<std::byte> answer(expected.size());
  WriteRows(*plan_, expected.data());
  for (size_t batch = 0; batch < plan_->batch_count(); ++batch) {
    WriteGet(plan_->keys(batch), command.data());
    if (!socket.WriteAll(command) || !socket.ReadAll(answer) || answer != expected) {
      return absl::UnavailableError("Redis does not answer with the rows that it was given");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<LoadResult> RedisPeer::Load(const RawLoadOptions& options) const {
  std::vector<RawSocket> sockets;
  ASSIGN_OR_RETURN(RawSocket socket, ConnectRaw(endpoint_));
  sockets.push_back(std::move(socket));
  return KeepBusy(std::move(sockets), options);
}

absl::StatusOr<LoadResult> RedisPeer::Gets(uint32_t in_flight, double seconds) const {
  return Load({{GetBytes(*plan_), RowsBytes(*plan_)},
               in_flight,
               seconds,
               [this](uint64_t number, bool, std::span<std::byte> request) {
                 WriteGet(plan_->keys(number % plan_->batch_count()), request.data());
               }});
}

absl::StatusOr<LoadResult> RedisPeer::Sets(uint32_t in_flight, double seconds) const {
  return Load({{SetBytes(*plan_), 5},
               in_flight,
               seconds,
               [this](uint64_t number, bool, std::span<std::byte> request) {
                 WriteSet(*plan_, number % plan_->batch_count(), request.data());
               }});
}

}  // namespace rowhouse
