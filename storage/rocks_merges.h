// Learns from RocksDB when merges of its files end, for those who wait for one.
//
// Threading: any thread.
#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace rowhouse {

class RocksMerges final : public rocksdb::EventListener {
 public:
  uint64_t ended() const;
  // Until more than `ended` merges have ended; false where that takes longer than until `give_up`.
  bool WaitBeyond(uint64_t ended, std::chrono::steady_clock::time_point give_up);
  // Whether a merge has ended since the last call.
  bool TakeChange();

  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& info) override;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t ended_ = 0;
  std::atomic<bool> has_change_ = false;
};

}  // namespace rowhouse
