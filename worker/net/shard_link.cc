#include "worker/net/shard_link.h"

#include <glog/logging.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "worker/client/status_text.h"
#include "worker/client/told_mark.h"
#include "worker/net/control_exchange.h"
#include "worker/net/local_route.h"
#include "worker/net/waits.h"

namespace rowhouse {
namespace {

using asio::experimental::awaitable_operators::operator||;

// Asio hands at most 64 buffers to one call of the system.
constexpr size_t kPiecesPerWrite = 60;
constexpr std::byte kPadding[8] = {};

void AppendBuffers(const Request& request, std::vector<asio::const_buffer>* out) {
  out->push_back(asio::buffer(request.head.data(), request.head.size()));
  for (const auto piece : request.pieces) {
    if (!piece.empty()) out->push_back(asio::buffer(piece.data(), piece.size()));
  }
  if (request.padding_bytes != 0) out->push_back(asio::buffer(kPadding, request.padding_bytes));
}

// A shard may hear of several checkpoints while a client tries to register; hardly of more.
constexpr int kStaleMarksMax = 16;

// The shard has opened the client and knows it no more.
absl::Status LeftBehind(const LinkIdentity& identity, const absl::Status& refusal) {
  return Refuse(RefusalReason::kNotOpened, "client ", identity.client.value(), " incarnation ",
                identity.incarnation.value(),
                " is not registered any more: it was taken for gone, so that a checkpoint need not "
                "wait for it, or it has left; start the worker again, with the same --client-id to "
                "go on under a new incarnation (the shard says: ",
                std::string(refusal.message()), ")");
}

}  // namespace

bool MayConnectAgain(const absl::Status& status) {
  return IsRetryable(status) || ReasonOf(status) == RefusalReason::kTruncated;
}

ShardLink::ShardLink(asio::any_io_executor executor, Endpoint endpoint, ShardId shard,
                     const ClientOptions& options, const LinkIdentity& identity,
                     const LinkEvents& events, uint64_t seed)
    : endpoint_(std::move(endpoint)),
      shard_(shard),
      where_(StrCat("shard ", shard.value(), " at ", ToString(endpoint_))),
      options_(options),
      identity_(identity),
      events_(events),
      executor_(executor),
      reader_(options.frame_bytes_max),
      backoff_(options.backoff_min_ms, options.backoff_max_ms, seed),
      wake_(executor),
      timer_(executor) {}

asio::awaitable<absl::Status> ShardLink::Establish() {
  Close();
  absl::StatusOr<StreamSocket> connected = co_await ConnectTo(endpoint_);
  if (!connected.ok()) co_return connected.status();
  if (stopping_) co_return absl::CancelledError("the client was closed");
  socket_.emplace(*std::move(connected));
  reader_ = FrameReader(options_.frame_bytes_max);
  Hello hello = MakeHello(shard_, identity_.timeline, options_.program);
  absl::StatusOr<HelloAnswer> answer =
      co_await Ask<HelloAnswer>(*socket_, reader_, Op::kHello, hello);
  if (!answer.ok()) {
    Close();
    co_return At(where_, answer.status());
  }
  if (answer->timeline != identity_.timeline) {
    Close();
    co_return Refuse(RefusalReason::kWrongTimeline, where_, ": the cluster is of timeline ",
                     answer->timeline.value(), " now, this client of ", identity_.timeline.value(),
                     ": it was restored or replaced; start the client again");
  }
  if (options_.prefer_local) co_await PreferLocal(*answer, hello);
  if (stopping_) co_return absl::CancelledError("the client was closed");
  co_return absl::OkStatus();
}

asio::awaitable<void> ShardLink::PreferLocal(const HelloAnswer& answer, const Hello& hello) {
  if (!IsLocalOffer(*socket_, answer.local)) co_return;
  std::optional<LocalStream> local;
  absl::Status status = co_await ConnectLocally(answer, hello, options_.frame_bytes_max, &local);
  if (stopping_) co_return;
  if (!status.ok()) {
    LOG_FIRST_N(INFO, 1) << where_ << ": staying on TCP: " << status.message();
    co_return;
  }
  VLOG(1) << where_ << ": going on over " << answer.local.path;
  Close();
  socket_.emplace(std::move(local->socket));
  reader_ = std::move(local->reader);
}

asio::awaitable<absl::StatusOr<QueryClientAnswer>> ShardLink::Query() {
  QueryClient query;
  query.client = identity_.client;
  absl::StatusOr<QueryClientAnswer> answer =
      co_await Ask<QueryClientAnswer>(*socket_, reader_, Op::kQueryClient, query);
  if (!answer.ok()) {
    Close();
    co_return At(where_, answer.status());
  }
  events_.mark(answer->mark);
  co_return answer;
}

asio::awaitable<absl::Status> ShardLink::Open() {
  absl::Status status = co_await OpenOnce();
  for (int i = 0; ReasonOf(status) == RefusalReason::kStaleMark && i < kStaleMarksMax; ++i) {
    absl::StatusOr<QueryClientAnswer> known = co_await Query();
    if (!known.ok()) co_return known.status();
    status = co_await OpenOnce();
  }
  if (!status.ok()) Close();
  co_return status;
}

asio::awaitable<absl::Status> ShardLink::OpenOnce() {
  OpenClient open;
  open.client = identity_.client;
  open.incarnation = identity_.incarnation;
  open.mark = identity_.mark;
  absl::StatusOr<OpenClientAnswer> answer =
      co_await Ask<OpenClientAnswer>(*socket_, reader_, Op::kOpenClient, open);
  if (!answer.ok()) co_return At(where_, answer.status());
  if (!opened_mark_.has_value()) {
    opened_mark_ = open.mark;
    opened_step_ = answer->step;
  }
  events_.mark(answer->mark);
  co_return absl::OkStatus();
}

asio::awaitable<void> ShardLink::Run() {
  while (!stopping_) {
    absl::Status lost = co_await Serve();
    Lost(lost);
    co_await Reestablish();
  }
}

asio::awaitable<absl::Status> ShardLink::Serve() {
  boost::system::error_code error;
  socket_->non_blocking(true, error);  // of calls that do not await; fails where it is closed
  serving_ = true;
  auto ended = co_await (ReadAnswers() || WriteRequests());
  serving_ = writer_waits_ = false;
  batch_.clear();
  pieces_.clear();
  next_piece_ = 0;
  co_return ended.index() == 0 ? std::get<0>(std::move(ended)) : std::get<1>(std::move(ended));
}

asio::awaitable<absl::Status> ShardLink::ReadAnswers() {
  while (true) {
    absl::Status taken = TakeFrames();
    if (!taken.ok()) co_return taken;
    auto [error, bytes] = co_await socket_->async_read_some(reader_.Room(*socket_), kAwaitTuple);
    absl::Status received = reader_.Received(error, bytes);
    if (!received.ok()) co_return received;
  }
}

// All that were read.
absl::Status ShardLink::TakeFrames() {
  ReceivedFrame frame;
  while (true) {
    ASSIGN_OR_RETURN(const bool taken, reader_.Take(&frame));
    if (!taken) return absl::OkStatus();
    RETURN_IF_ERROR(TakeFrame(frame));
  }
}

asio::awaitable<absl::Status> ShardLink::WriteRequests() {
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  while (socket_->is_open() && cancellation.cancelled() == asio::cancellation_type::none) {
    absl::Status written = WriteSome();
    if (!written.ok()) co_return written;
    if (pieces_.empty()) {
      wake_.expires_at(asio::steady_timer::time_point::max());
      co_await wake_.async_wait(kAwaitTuple);
      continue;
    }
    writer_waits_ = true;
    co_await socket_->async_wait(StreamSocket::wait_write, kAwaitTuple);
    writer_waits_ = false;
  }
  co_return Refuse(RefusalReason::kDisconnected, "the connection was closed here");
}

absl::Status ShardLink::WriteSome() {
  while (true) {
    if (pieces_.empty()) TakeNextBatch();
    if (pieces_.empty()) return absl::OkStatus();
    boost::system::error_code error;
    size_t written = socket_->write_some(
        std::span<const asio::const_buffer>(pieces_).subspan(next_piece_), error);
    if (error == asio::error::would_block) return absl::OkStatus();
    if (error) {
      return Refuse(RefusalReason::kDisconnected, "writing failed: ", error.message());
    }
    while (next_piece_ < pieces_.size() && written >= pieces_[next_piece_].size()) {
      written -= pieces_[next_piece_++].size();
    }
    if (written > 0) pieces_[next_piece_] += written;
    if (next_piece_ < pieces_.size()) continue;
    pieces_.clear();
    queue_.Written(batch_);
    batch_.clear();
  }
}

void ShardLink::TakeNextBatch() {
  batch_ = queue_.TakeForWriting(kPiecesPerWrite, std::move(batch_));
  next_piece_ = 0;
  for (const QueuedRequest& queued : batch_) AppendBuffers(*queued.request, &pieces_);
}

absl::Status ShardLink::TakeFrame(const ReceivedFrame& frame) {
  const uint64_t id = frame.header.request_id;
  Request* request = queue_.FindSent(id);
  if (frame.op() == Op::kError) return TakeRefusal(request, frame);
  if (request == nullptr) {
    // Answers to requests that were given up are late, not wrong.
    if (queue_.WasSent(id)) return absl::OkStatus();
    return Refuse(RefusalReason::kMalformed, "an answer to request ", id, ", which was never made");
  }
  absl::Status result;
  if (frame.op() == AnswerOp(request->op)) {
    result = request->accept(frame.body);
  } else {
    result = Refuse(RefusalReason::kMalformed, "an answer with operation ", frame.header.op,
                    " to operation ", static_cast<int>(request->op));
  }
  if (result.ok()) {
    backoff_.Reset();
    // Before whoever waits for the answer goes on: its next push bears the mark.
    events_.mark(ToldMark(request->op, frame.body));
  }
  queue_.Answer(request, At(where_, result));
  return absl::OkStatus();
}

absl::Status ShardLink::TakeRefusal(Request* request, const ReceivedFrame& frame) {
  const absl::Status refusal = RefusalIn(frame.body);
  if (request == nullptr) {
    return queue_.WasSent(frame.header.request_id) ? absl::OkStatus() : refusal;
  }
  if (ReasonOf(refusal) == RefusalReason::kFenced) {
    events_.fatal(At(where_, refusal));
    return refusal;
  }
  if (ReasonOf(refusal) == RefusalReason::kNotOpened) {
    const absl::Status fatal = At(where_, LeftBehind(identity_, refusal));
    events_.fatal(fatal);
    return fatal;
  }
  if (IsRetryable(refusal)) return refusal;
  queue_.Answer(request, At(where_, refusal));
  return absl::OkStatus();
}

void ShardLink::Lost(const absl::Status& status) {
  Close();
  queue_.Rewind();
  if (stopping_) return;
  last_reason_ = std::string(status.message());
  LOG(WARNING) << where_ << ": " << last_reason_ << "; connecting again";
}

asio::awaitable<void> ShardLink::Reestablish() {
  while (!stopping_) {
    co_await WaitFor(timer_, backoff_.NextMs());
    if (stopping_) co_return;
    absl::Status status = co_await BoundedAttempt();
    if (stopping_) co_return;
    if (status.ok()) {
      LOG(INFO) << where_ << ": connected again";
      co_return;
    }
    Close();
    last_reason_ = std::string(status.message());
    if (!MayConnectAgain(status)) events_.fatal(status);
  }
}

asio::awaitable<absl::Status> ShardLink::EstablishAndOpen() {
  absl::Status status = co_await Establish();
  if (!status.ok() || options_.read_only) co_return status;
  status = co_await Open();
  co_return status;
}

asio::awaitable<absl::Status> ShardLink::BoundedAttempt() {
  auto ended = co_await (EstablishAndOpen() || AttemptTimeout());
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return Refuse(RefusalReason::kDisconnected, where_, ": no connection and hello within ",
                   options_.connect_timeout_ms, " ms");
}

asio::awaitable<void> ShardLink::AttemptTimeout() {
  if (!stopping_) co_await WaitFor(timer_, options_.connect_timeout_ms);
}

void ShardLink::Enqueue(const std::shared_ptr<Call>& call, Request* request) {
  queue_.Add(call, request);
}

// A failure is the writer's: it meets it again.
void ShardLink::Flush() {
  if (!serving_ || writer_waits_ || !socket_->is_open()) return;
  const absl::Status written = WriteSome();
  if (!written.ok() || !pieces_.empty()) wake_.cancel();
}

void ShardLink::Drop(const Call& call) {
  // A frame that is cut off in the middle cannot be followed by another.
  if (queue_.IsWriting(call)) Close();
  queue_.Drop(call);
}

void ShardLink::Stop() {
  stopping_ = true;
  Close();
  timer_.cancel();
}

void ShardLink::Close() {
  wake_.cancel();
  if (!socket_.has_value()) return;
  boost::system::error_code ignored;
  socket_->close(ignored);
}

}  // namespace rowhouse
