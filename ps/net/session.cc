#include "ps/net/session.h"

#include <glog/logging.h>

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "common/refusal.h"
#include "ps/net/close_gently.h"
#include "ps/net/shard_host.h"

namespace rowhouse {
namespace {

using boost::system::error_code;

constexpr uint32_t kCloseTimeoutMs = 1000;
constexpr auto kNever = asio::steady_timer::time_point::max();

}  // namespace

Session::Session(SessionId id, StreamSocket socket, FrameReader reader,
                 std::unique_ptr<ConnectionSlot> slot, ShardHost* host, ServerContext* context)
    : id_(id),
      socket_(std::move(socket)),
      reader_(std::move(reader)),
      slot_(std::move(slot)),
      host_(host),
      context_(context),
      resume_(socket_.get_executor(), kNever),
      outgoing_ready_(socket_.get_executor(), kNever),
      write_deadline_(socket_.get_executor(), kNever),
      close_deadline_(socket_.get_executor(), kNever) {}

void Session::Start() {
  const auto spawn = [this](asio::awaitable<void> (Session::*run)()) {
    auto self = shared_from_this();
    asio::co_spawn(
        socket_.get_executor(), [self, run] { return ((*self).*run)(); },
        [self](std::exception_ptr error) {
          if (error) self->Close();  // out of memory for this peer's requests
        });
  };
  spawn(&Session::Read);
  spawn(&Session::Write);
}

bool Session::Blocked() const {
  return in_flight_bytes_ > context_->options.connection_bytes_max || host_->congested();
}

asio::awaitable<void> Session::Read() {
  while (!closed_ && !finishing_) {
    if (Blocked()) {
      co_await resume_.async_wait(kAwaitTuple);
      continue;
    }
    const absl::StatusOr<ReceivedFrame> frame = co_await reader_.Next(socket_);
    if (finishing_ || closed_) break;
    if (!frame.ok()) {
      Refuse(frame.status());
      break;
    }
    in_flight_bytes_ += FrameBytes(frame->header.body_bytes);
    host_->OnRequest(id_, *frame);
  }
}

// What was asked before is answered still: a peer may have ended just its own side. A stream that
// lost its meaning is told so.
void Session::Refuse(const absl::Status& status) {
  if (ReasonOf(status) == RefusalReason::kDisconnected) return FinishAndClose();
  context_->refusals.Count(status);
  LOG_EVERY_N(WARNING, 100) << "connection refused: " << status.message();
  Send(MakeErrorFrame(0, status), 0);
  FinishAndClose();
}

void Session::Send(OutFrame frame, uint64_t answered_bytes) {
  in_flight_bytes_ -= std::min(in_flight_bytes_, answered_bytes);
  if (closed_) return;
  in_flight_bytes_ += frame.size_bytes;
  outgoing_.push_back(std::move(frame));
  outgoing_ready_.cancel();
}

void Session::FinishAndClose() {
  finishing_ = true;
  outgoing_ready_.cancel();
  resume_.cancel();
}

asio::awaitable<void> Session::Write() {
  while (!closed_) {
    if (!outgoing_.empty()) {
      co_await WriteQueued();
    } else if (finishing_ && in_flight_bytes_ == 0) {
      error_code ignored;
      socket_.cancel(ignored);  // a read may be waiting
      co_await CloseGently(socket_, kCloseTimeoutMs);
      Close();
    } else {
      co_await outgoing_ready_.async_wait(kAwaitTuple);
    }
  }
}

asio::awaitable<void> Session::WriteQueued() {
  const std::vector<OutFrame> frames = std::exchange(outgoing_, {});
  std::vector<asio::const_buffer> pieces;
  uint64_t bytes = 0;
  for (const OutFrame& frame : frames) {
    pieces.emplace_back(frame.words.get(), frame.size_bytes);
    bytes += frame.size_bytes;
  }
  writing_ = true;
  CloseWithoutProgress();
  const absl::Status status = co_await WriteAll(socket_, std::move(pieces), &written_bytes_);
  writing_ = false;
  write_deadline_.cancel();
  in_flight_bytes_ -= std::min(in_flight_bytes_, bytes);
  if (!status.ok()) Close();
  resume_.cancel();
}

// Looks once per write_timeout_ms, so that a write costs no more than one timer.
void Session::CloseWithoutProgress() {
  write_deadline_.expires_after(std::chrono::milliseconds(context_->options.write_timeout_ms));
  write_deadline_.async_wait(
      [self = shared_from_this(), before = written_bytes_](error_code error) {
        if (error || !self->writing_) return;
        if (self->written_bytes_ == before) return self->Close();
        self->CloseWithoutProgress();
      });
}

void Session::CloseAfter(uint32_t timeout_ms) {
  close_deadline_.expires_after(std::chrono::milliseconds(timeout_ms));
  close_deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->Close();
  });
}

void Session::Close() {
  if (std::exchange(closed_, true)) return;
  error_code ignored;
  socket_.close(ignored);
  resume_.cancel();
  outgoing_ready_.cancel();
  write_deadline_.cancel();
  close_deadline_.cancel();
  slot_.reset();
  host_->Forget(id_);
}

}  // namespace rowhouse
