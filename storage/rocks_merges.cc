#include "storage/rocks_merges.h"

#include <rocksdb/listener.h>

#include <utility>

namespace rowhouse {
namespace {

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<RocksMerges> merges) : merges_(std::move(merges)) {}

  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    merges_->NoteEnd();
  }

 private:
  const std::shared_ptr<RocksMerges> merges_;
};

}  // namespace

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

void RocksMerges::NoteEnd() {
  {
    const std::lock_guard lock(mutex_);
    ++ended_;
  }
  has_change_ = true;
  changed_.notify_all();
}

std::shared_ptr<rocksdb::EventListener> ListenFor(std::shared_ptr<RocksMerges> merges) {
  return std::make_shared<Listener>(std::move(merges));
}

}  // namespace rowhouse
