// Cancels a socket's operations when something takes too long.
//
//   Deadline deadline(socket, timeout_ms);
//   ... co_await socket.async_read_some(...) ...     // fails with operation_aborted when late
//   if (deadline.passed()) ...
//
// Threading: the socket's executor.
// Ownership: may be destroyed before the socket, also while its time is running out.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "common/net/stream.h"

namespace rowhouse {

class Deadline {
 public:
  Deadline(StreamSocket& socket, uint32_t timeout_ms)
      : timer_(socket.get_executor()), state_(std::make_shared<State>(State{&socket})) {
    timer_.expires_after(std::chrono::milliseconds(timeout_ms));
    timer_.async_wait([state = state_](boost::system::error_code) { state->Expire(); });
  }
  // The wait's handler may be queued already: it must find that nobody is there any more.
  ~Deadline() { Disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void Disarm() { state_->socket = nullptr; }
  bool passed() const { return state_->passed; }

 private:
  struct State {
    StreamSocket* socket;
    bool passed = false;

    void Expire() {
      if (socket == nullptr) return;
      passed = true;
      boost::system::error_code ignored;
      socket->cancel(ignored);
    }
  };

  asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace rowhouse
