// Timers that coroutines wait for.
//
// Threading: on the timer's executor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>

#include "common/net/stream.h"

namespace rowhouse {

// Returns when `ms` have passed or the timer was cancelled.
inline asio::awaitable<void> WaitFor(asio::steady_timer& timer, uint32_t ms) {
  timer.expires_after(std::chrono::milliseconds(ms));
  co_await timer.async_wait(kAwaitTuple);
}

}  // namespace rowhouse
