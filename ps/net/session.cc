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
// Asio hands at most 64 buffers to one call of the system.
constexpr size_t kPiecesPerWrite = 64;
// Answers are gathered up to this: beyond, a call of the system costs little beside the copying.
constexpr uint64_t kGatherBytes = 64 << 10;
// What the list of answers keeps when it is empty; more is given back.
constexpr size_t kKeptFrames = 1024;

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
  error_code error;
  socket_.non_blocking(true, error);  // of calls that do not await; fails where it is closed
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
  while (reading()) {
    const bool all_handled = HandleReceived();
    Flush();
    if (!reading()) break;
    if (Blocked()) {
      co_await resume_.async_wait(kAwaitTuple);
      continue;
    }
    if (!all_handled) continue;
    auto [error, bytes] = co_await socket_.async_read_some(reader_.Room(socket_), kAwaitTuple);
    if (!reading()) break;
    const absl::Status received = reader_.Received(error, bytes);
    if (!received.ok()) Refuse(received);
  }
}

// Whether no whole request is left.
bool Session::HandleReceived() {
  ReceivedFrame frame;
  handling_ = true;
  absl::StatusOr<bool> taken = true;
  while (reading() && !Blocked()) {
    taken = reader_.Take(&frame);
    if (!taken.ok() || !*taken) break;
    in_flight_bytes_ += FrameBytes(frame.header.body_bytes);
    host_->OnRequest(id_, frame);
  }
  handling_ = false;
  if (taken.ok()) return !*taken;
  Refuse(taken.status());
  return true;
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
  if (closed_) return host_->Recycle(std::move(frame));
  in_flight_bytes_ += frame.size_bytes;
  outgoing_bytes_ += frame.size_bytes;
  outgoing_.push_back(std::move(frame));
}

void Session::Flush() {
  if (closed_ || writer_waits_ || (handling_ && outgoing_bytes_ < kGatherBytes)) return;
  WriteSome();
  // What is left, and the end of the session, is the writer's.
  if (outgoing_bytes_ > 0 || write_failed_ || finishing_) outgoing_ready_.cancel();
}

void Session::FinishAndClose() {
  finishing_ = true;
  outgoing_ready_.cancel();
  resume_.cancel();
}

asio::awaitable<void> Session::Write() {
  while (!closed_) {
    WriteSome();
    if (write_failed_) {
      Close();
    } else if (outgoing_bytes_ > 0) {
      writer_waits_ = true;
      CloseWithoutProgress();
      co_await socket_.async_wait(StreamSocket::wait_write, kAwaitTuple);
      writer_waits_ = false;
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

// As much as the peer takes without waiting.
void Session::WriteSome() {
  while (outgoing_bytes_ > 0 && !closed_ && !write_failed_) {
    pieces_.clear();
    size_t bytes = 0;
    for (size_t i = first_; i < outgoing_.size() && pieces_.size() < kPiecesPerWrite; ++i) {
      const auto piece = outgoing_[i].bytes().subspan(i == first_ ? first_written_bytes_ : 0);
      pieces_.emplace_back(piece.data(), piece.size());
      bytes += piece.size();
    }
    error_code error;
    const size_t written = socket_.write_some(pieces_, error);
    write_failed_ = error && error != asio::error::would_block;
    TakeWritten(written);
    if (written < bytes) return;
  }
}

void Session::TakeWritten(size_t bytes) {
  written_bytes_ += bytes;
  outgoing_bytes_ -= bytes;
  first_written_bytes_ += bytes;
  while (first_ < outgoing_.size() && first_written_bytes_ >= outgoing_[first_].size_bytes) {
    const size_t size_bytes = outgoing_[first_].size_bytes;
    first_written_bytes_ -= size_bytes;
    in_flight_bytes_ -= std::min<uint64_t>(in_flight_bytes_, size_bytes);
    host_->Recycle(std::move(outgoing_[first_++]));
  }
  if (2 * first_ >= outgoing_.size()) {
    outgoing_.erase(outgoing_.begin(), outgoing_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
    if (outgoing_.empty() && outgoing_.capacity() > kKeptFrames) outgoing_.shrink_to_fit();
  }
  if (bytes > 0) resume_.cancel();
}

// Looks once per write_timeout_ms, so that many writes cost no more than one timer.
void Session::CloseWithoutProgress() {
  if (std::exchange(deadline_armed_, true)) return;
  write_deadline_.expires_after(std::chrono::milliseconds(context_->options.write_timeout_ms));
  write_deadline_.async_wait(
      [self = shared_from_this(), before = written_bytes_](error_code error) {
        self->deadline_armed_ = false;
        if (error || !self->writer_waits_) return;
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
