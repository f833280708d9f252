// The connection to one shard: makes it, keeps it, makes it again, and never lets requests pass
// one another.
//
// A lost connection, or a refusal that a retry can help, ends it; all unanswered requests are sent
// again on the next one, in their order, under their numbers.
//
// Requests are written at once where the peer takes them, otherwise by a coroutine that waits until
// it does; all answers of one read are taken before the next read.
//
// Threading: on the loop's executor, or Enqueue and Flush by another thread that holds its mutex.
// Cost: one read and one write of the system a request, less where several go together; no
//   allocation once the lists have grown.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/endpoint.h"
#include "common/net/stream.h"
#include "common/types.h"
#include "common/wire/control.h"
#include "worker/client.h"
#include "worker/client/backoff.h"
#include "worker/client/mark_book.h"
#include "worker/client/request_queue.h"

namespace rowhouse {

// What every link says about the client; the same for all links of a client.
struct LinkIdentity {
  ClientId client;
  Incarnation incarnation;
  Timeline timeline;
  Mark mark = kFirstMark;  // the highest that any shard has told; rises
  Mark registered_mark;    // the lowest under which a shard has opened the client
  Step last_step;          // the highest that any shard knew when the client connected
};

// What a link tells its owner.
struct LinkEvents {
  // The client can go on no more: fenced, left behind by a checkpoint, or the server is of another
  // timeline. May call Stop.
  std::function<void(const absl::Status&)> fatal;
  std::function<void(Mark)> mark;
};

class ShardLink {
 public:
  // Everything passed by reference outlives the link.
  ShardLink(asio::any_io_executor executor, Endpoint endpoint, ShardId shard,
            const ClientOptions& options, const LinkIdentity& identity, const LinkEvents& events,
            uint64_t seed);

  // One attempt: connects and says hello.
  asio::awaitable<absl::Status> Establish();
  // What the shard knows of the client. REQUIRES: established.
  asio::awaitable<absl::StatusOr<QueryClientAnswer>> Query();
  // Opens the client under its incarnation and the highest mark known; where the shard knows a
  // higher one, it is learned and the client opened under that. REQUIRES: established.
  asio::awaitable<absl::Status> Open();
  // The mark under which the client was opened here first.
  Mark opened_mark() const { return opened_mark_.value_or(Mark(0)); }
  // The highest step that the shard knew of the client then, when its former life was fenced.
  Step opened_step() const { return opened_step_; }
  bool established() const { return socket_.has_value() && socket_->is_open(); }

  // Serves requests until Stop. REQUIRES: established and, unless the client is read-only, opened.
  asio::awaitable<void> Run();

  // Queues a request; Flush sends it.
  void Enqueue(const std::shared_ptr<Call>& call, Request* request);
  void Flush();
  // Forgets a call; the bytes of its requests are not touched from here on.
  void Drop(const Call& call);
  void Stop();

  // "shard 1 at 127.0.0.1:7000"
  const std::string& where() const { return where_; }
  // Why there is no connection, or was none the last time.
  const std::string& last_reason() const { return last_reason_; }

 private:
  // Where the server offers its local socket on the connection just established, goes on over that;
  // where it cannot be used, the connection stays as it is.
  asio::awaitable<void> PreferLocal(const HelloAnswer& answer, const Hello& hello);
  asio::awaitable<absl::Status> OpenOnce();
  asio::awaitable<absl::Status> Serve();
  asio::awaitable<absl::Status> ReadAnswers();
  asio::awaitable<absl::Status> WriteRequests();
  // As much as the peer takes without waiting. Errors: kDisconnected.
  absl::Status WriteSome();
  void TakeNextBatch();
  asio::awaitable<void> Reestablish();
  asio::awaitable<absl::Status> EstablishAndOpen();
  asio::awaitable<absl::Status> BoundedAttempt();
  asio::awaitable<void> AttemptTimeout();
  // Errors: the connection cannot be used further.
  absl::Status TakeFrames();
  absl::Status TakeFrame(const ReceivedFrame& frame);
  absl::Status TakeRefusal(Request* request, const ReceivedFrame& frame);
  void Lost(const absl::Status& status);
  void Close();

  const Endpoint endpoint_;
  const ShardId shard_;
  const std::string where_;
  const ClientOptions& options_;
  const LinkIdentity& identity_;
  const LinkEvents& events_;

  asio::any_io_executor executor_;
  std::optional<StreamSocket> socket_;
  FrameReader reader_;
  RequestQueue queue_;
  Backoff backoff_;
  std::vector<QueuedRequest> batch_;  // being written
  std::vector<asio::const_buffer> pieces_;
  size_t next_piece_ = 0;
  bool serving_ = false;       // WriteRequests runs
  bool writer_waits_ = false;  // for the peer to take more
  asio::steady_timer wake_;    // cancelled when there is something to write that Flush could not
  asio::steady_timer timer_;   // of backoff and attempts
  std::string last_reason_ = "none; the connection is up and no answer has come";
  std::optional<Mark> opened_mark_;
  Step opened_step_;
  bool stopping_ = false;
};

// Whether another attempt to connect can help.
bool MayConnectAgain(const absl::Status& status);

}  // namespace rowhouse
