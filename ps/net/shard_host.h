// The thin shell around one shard: its thread, its connections, and the carrying out of effects.
//
// Threading: the constructor, Start, Adopt, BeginStop and Join from any thread; all else on the
//   shard's own thread, which runs its event loop.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/net/stream.h"
#include "ps/effects.h"
#include "ps/net/server_context.h"
#include "ps/net/session.h"
#include "ps/shard.h"
#include "ps/shard_storage.h"

namespace rowhouse {

class ShardHost {
 public:
  // Opens the shard's storage and brings the shard back from it. `context` outlives the host.
  static absl::StatusOr<std::unique_ptr<ShardHost>> Open(const ShardIdentity& identity,
                                                         ServerContext* context);
  ~ShardHost();
  ShardHost(const ShardHost&) = delete;
  ShardHost& operator=(const ShardHost&) = delete;

  void Start();
  // Takes over a greeted connection; `greeting` is sent first. The socket may belong to another
  // event loop and is moved to this one's.
  void Adopt(StreamSocket socket, FrameReader reader, std::unique_ptr<ConnectionSlot> slot,
             OutFrame greeting);
  // Join returns when everything is written out, or stop_timeout_ms has passed, and every
  // connection is closed. Errors: what could not be written, and why.
  void BeginStop();
  absl::Status Join();

  ShardId shard_id() const { return identity_.shard; }
  Timeline timeline() const { return identity_.timeline; }

  // For sessions.
  void OnRequest(SessionId session, const ReceivedFrame& frame);
  bool congested() const { return shard_->congested(); }
  void Recycle(OutFrame frame) { shard_->Recycle(std::move(frame)); }
  void Forget(SessionId session);  // it is closed

 private:
  ShardHost(ShardStorage storage, std::unique_ptr<Shard> shard, ServerContext* context);

  void Perform(Effects* effects);
  void RunLog(LogJob job);
  void LogDone();
  void Free(std::vector<RemovedFile> removed);
  void RunFile(FileJob job);
  void RunRead(ReadJob job);
  void RunCheckpoint(CheckpointJob job);
  void RetryLater();
  void WriteLogLater();
  void WaitForLull();
  void ResumeSessions();
  void Finish();
  void GiveUp();
  void NoteDiskMemory(uint64_t bytes);
  void NoteConnections();
  void NoteFailure(const absl::Status& status, const char* what);
  template <typename Event>
  void Handle(EventKind kind, Event event);

  const ShardIdentity identity_;
  ServerContext* const context_;
  ShardStorage storage_;
  std::unique_ptr<Shard> shard_;

  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  // Of the log job under way: at most one is, so the handlers that carry it need not.
  LogJob log_job_;
  LogOutcome log_outcome_;
  std::atomic<size_t> removals_{0};    // log segments that wait to be freed
  std::vector<Answer> spare_answers_;  // the memory of an event's answers, for the next event's
  asio::steady_timer retry_timer_;
  asio::steady_timer log_timer_;
  asio::steady_timer lull_timer_;
  asio::steady_timer stop_timer_;
  std::thread thread_;

  uint64_t next_session_ = 1;
  std::unordered_map<SessionId, std::shared_ptr<Session>> sessions_;
  std::unordered_set<SessionId> unix_sessions_;  // those over a Unix-domain socket
  bool finished_ = false;
  std::string last_failure_ = "the disk has not answered";
  absl::Status stopped_;  // set on the shard's thread, read when that has ended
};

}  // namespace rowhouse
