// What each thread of this program has done so far that costs time: blocks of memory taken from the
// heap, calls of the system on sockets, and times it went to sleep.
//
// The program's own malloc, send, recv and epoll_wait stand before the C library's
// (thread_counts.cc) and count. Not under the sanitizers, which bring an allocator of their own.
//
// Threading: any thread may look at any.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

namespace rowhouse {

struct ThreadCounts {
  uint64_t allocations = 0;
  uint64_t sends = 0;
  uint64_t receives = 0;
  uint64_t polls = 0;
  uint64_t sleeps = 0;  // voluntary context switches
};

constexpr bool CountsThreads() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

// Of a thread of this process that still runs.
ThreadCounts CountsOf(pid_t thread);
ThreadCounts Difference(const ThreadCounts& after, const ThreadCounts& before);
// Each count for itself.
ThreadCounts Least(const ThreadCounts& a, const ThreadCounts& b);

std::set<pid_t> Threads();
std::optional<pid_t> ThreadNamed(std::string_view name);

}  // namespace rowhouse
