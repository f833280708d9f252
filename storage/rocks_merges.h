// Learns from RocksDB when merges of its files end, for those who wait for one.
//
// Threading: any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

namespace rocksdb {
class EventListener;
}  // namespace rocksdb

namespace rowhouse {

class RocksMerges {
 public:
  void NoteEnd();
  uint64_t ended() const;
  // Until more than `ended` merges have ended; false where that takes longer than until `give_up`.
  bool WaitBeyond(uint64_t ended, std::chrono::steady_clock::time_point give_up);
  // Whether a merge has ended since the last call.
  bool TakeChange();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t ended_ = 0;
  std::atomic<bool> has_change_ = false;
};

// To be given to a database, which then notes each end.
std::shared_ptr<rocksdb::EventListener> ListenFor(std::shared_ptr<RocksMerges> merges);

}  // namespace rowhouse
