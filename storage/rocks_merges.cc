#include "storage/rocks_merges.h"

namespace rowhouse {

uint64_t RocksMerges::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool RocksMerges::WaitBeyond(uint64_t ended, std::chrono::steady_clock::time_point give_up) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, give_up, [&] { return ended_ > ended; });
}

bool RocksMerges::TakeChange() {
  return has_change_.load(std::memory_order_relaxed) && has_change_.exchange(false);
}

void RocksMerges::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) {
  {
    const std::lock_guard lock(mutex_);
    ++ended_;
  }
  has_change_ = true;
  changed_.notify_all();
}

}  // namespace rowhouse
