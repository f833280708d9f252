#include "tests/integration/thread_counts.h"

#include <errno.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/text.h"

namespace rowhouse {
namespace {

struct Counters {
  std::atomic<pid_t> thread{0};
  std::atomic<uint64_t> allocations{0};
  std::atomic<uint64_t> sends{0};
  std::atomic<uint64_t> receives{0};
  std::atomic<uint64_t> polls{0};
};

// Threads beyond share the last entry, and are not found.
constexpr size_t kThreadsMax = 4096;
Counters all_counters[kThreadsMax];
std::atomic<size_t> threads_seen{0};
thread_local Counters* own_counters = nullptr;

// Must not allocate.
[[maybe_unused]] Counters& Own() {
  if (own_counters == nullptr) {
    const size_t i = threads_seen.fetch_add(1);
    own_counters = &all_counters[i < kThreadsMax ? i : kThreadsMax - 1];
    own_counters->thread = static_cast<pid_t>(::syscall(SYS_gettid));
  }
  return *own_counters;
}

[[maybe_unused]] void Count(std::atomic<uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

uint64_t SleepsOf(pid_t thread) {
  std::ifstream in(StrCat("/proc/self/task/", thread, "/status"));
  for (std::string word; in >> word;) {
    uint64_t value = 0;
    if (word == "voluntary_ctxt_switches:" && in >> value) return value;
  }
  return 0;
}

}  // namespace

ThreadCounts CountsOf(pid_t thread) {
  ThreadCounts counts;
  // The last: the system gives numbers of threads again.
  for (size_t i = std::min(threads_seen.load(), kThreadsMax); i-- > 0;) {
    const Counters& of = all_counters[i];
    if (of.thread != thread) continue;
    counts = {of.allocations, of.sends, of.receives, of.polls, 0};
    break;
  }
  counts.sleeps = SleepsOf(thread);
  return counts;
}

ThreadCounts Difference(const ThreadCounts& after, const ThreadCounts& before) {
  return {after.allocations - before.allocations, after.sends - before.sends,
          after.receives - before.receives, after.polls - before.polls,
          after.sleeps - before.sleeps};
}

ThreadCounts Least(const ThreadCounts& a, const ThreadCounts& b) {
  return {std::min(a.allocations, b.allocations), std::min(a.sends, b.sends),
          std::min(a.receives, b.receives), std::min(a.polls, b.polls),
          std::min(a.sleeps, b.sleeps)};
}

std::set<pid_t> Threads() {
  std::set<pid_t> threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    threads.insert(std::stoi(entry.path().filename().string()));
  }
  return threads;
}

std::optional<pid_t> ThreadNamed(std::string_view name) {
  for (const pid_t thread : Threads()) {
    std::ifstream in(StrCat("/proc/self/task/", thread, "/comm"));
    std::string found;
    if (std::getline(in, found) && found == name) return thread;
  }
  return std::nullopt;
}

}  // namespace rowhouse

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// The C library's own, under the names that it keeps for programs which replace the others.
extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) noexcept {
  rowhouse::Count(rowhouse::Own().allocations);
  return __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) noexcept {
  rowhouse::Count(rowhouse::Own().allocations);
  return __libc_calloc(count, bytes);
}

void* realloc(void* memory, size_t bytes) noexcept {
  rowhouse::Count(rowhouse::Own().allocations);
  return __libc_realloc(memory, bytes);
}

void* memalign(size_t alignment, size_t bytes) noexcept {
  rowhouse::Count(rowhouse::Own().allocations);
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) noexcept { return memalign(alignment, bytes); }

int posix_memalign(void** memory, size_t alignment, size_t bytes) noexcept {
  *memory = memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  rowhouse::Count(rowhouse::Own().sends);
  return ::syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t send(int fd, const void* data, size_t bytes, int flags) {
  rowhouse::Count(rowhouse::Own().sends);
  return ::syscall(SYS_sendto, fd, data, bytes, flags, nullptr, 0);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  rowhouse::Count(rowhouse::Own().receives);
  return ::syscall(SYS_recvmsg, fd, message, flags);
}

ssize_t recv(int fd, void* data, size_t bytes, int flags) {
  rowhouse::Count(rowhouse::Own().receives);
  return ::syscall(SYS_recvfrom, fd, data, bytes, flags, nullptr, nullptr);
}

int epoll_wait(int fd, epoll_event* events, int count_max, int timeout_ms) {
  rowhouse::Count(rowhouse::Own().polls);
  return static_cast<int>(
      ::syscall(SYS_epoll_pwait, fd, events, count_max, timeout_ms, nullptr, 0));
}

}  // extern "C"

#endif
