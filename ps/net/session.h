// One connection to a shard, after the lobby's greeting: a coroutine that reads requests and one
// that writes what the peer does not take at once.
//
// All whole requests of one read are done before their answers are written, together, unless the
// answers are large; a lone request is answered at once, from the coroutine that read it.
//
// Reading pauses while too many bytes are in flight or the shard's log does not keep up; a peer
// that takes no bytes for write_timeout_ms is cut off. A stream that cannot be decoded gets an
// error frame and is closed.
//
// Threading: the shard's thread.
// Cost: one read and one write of the system a request, less where several came together; no
//   allocation once the lists have grown.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/net/stream.h"
#include "ps/effects.h"
#include "ps/net/server_context.h"

namespace rowhouse {

class ShardHost;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(SessionId id, StreamSocket socket, FrameReader reader,
          std::unique_ptr<ConnectionSlot> slot, ShardHost* host, ServerContext* context);

  void Start();
  // Queues a frame; `answered_bytes` of requests are no longer in flight. Flush writes it.
  void Send(OutFrame frame, uint64_t answered_bytes);
  // Writes what is queued, unless more answers are about to be.
  void Flush();
  // Reads no more; answers what has been read, then closes.
  void FinishAndClose();
  // Closes whatever is still to be sent.
  void CloseAfter(uint32_t timeout_ms);
  void Resume() { resume_.cancel(); }

 private:
  asio::awaitable<void> Read();
  asio::awaitable<void> Write();
  bool HandleReceived();
  void WriteSome();
  void TakeWritten(size_t bytes);
  bool Blocked() const;
  bool reading() const { return !closed_ && !finishing_; }
  void Refuse(const absl::Status& status);
  void CloseWithoutProgress();
  void Close();

  const SessionId id_;
  StreamSocket socket_;
  FrameReader reader_;
  std::unique_ptr<ConnectionSlot> slot_;
  ShardHost* const host_;
  ServerContext* const context_;

  std::vector<OutFrame> outgoing_;  // from first_ on
  size_t first_ = 0;
  size_t first_written_bytes_ = 0;  // of the first
  uint64_t outgoing_bytes_ = 0;     // not written
  std::vector<asio::const_buffer> pieces_;
  uint64_t in_flight_bytes_ = 0;  // of requests not answered and of answers not written
  uint64_t written_bytes_ = 0;    // ever
  bool handling_ = false;         // requests of one read are being done
  bool writer_waits_ = false;     // for the peer to take more
  bool write_failed_ = false;
  bool deadline_armed_ = false;
  bool finishing_ = false;
  bool closed_ = false;
  asio::steady_timer resume_;          // wakes Read
  asio::steady_timer outgoing_ready_;  // wakes Write where Flush could not write all
  asio::steady_timer write_deadline_;
  asio::steady_timer close_deadline_;
};

}  // namespace rowhouse
