#include "tests/bench/plain_rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <cstring>
#include <vector>

#include "common/text.h"

namespace rowhouse {
namespace {

absl::Status ToStatus(const rocksdb::Status& status) {
  return status.ok() ? absl::OkStatus()
                     : absl::UnavailableError(StrCat("plain RocksDB: ", status.ToString()));
}

rocksdb::Options MakeOptions(uint64_t cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_bytes);
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Slice SliceOf(const Key& key) {
  return {reinterpret_cast<const char*>(&key), sizeof(key)};
}

class Database final : public PlainRocks {
 public:
  explicit Database(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
  // Closing waits for a flush, which does not come while the threads are held.
  ~Database() override {
    if (paused_) Resume().IgnoreError();
  }

  absl::Status Put(std::span<const Key> keys, std::span<const float> values, size_t value_floats,
                   WriteAheadLog log) override {
    rocksdb::WriteOptions options;
    options.disableWAL = log == WriteAheadLog::kOff;
    rocksdb::WriteBatch batch;
    const auto* bytes = reinterpret_cast<const char*>(values.data());
    const size_t value_bytes = value_floats * sizeof(float);
    for (size_t i = 0; i < keys.size(); ++i) {
      const rocksdb::Status put =
          batch.Put(SliceOf(keys[i]), rocksdb::Slice(bytes + i * value_bytes, value_bytes));
      if (!put.ok()) return ToStatus(put);
    }
    return ToStatus(db_->Write(options, &batch));
  }

  absl::Status Compact() override {
    const rocksdb::Status flushed = db_->Flush(rocksdb::FlushOptions());
    if (!flushed.ok()) return ToStatus(flushed);
    return ToStatus(db_->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  }

  absl::Status Pause() override {
    paused_ = true;
    return ToStatus(db_->PauseBackgroundWork());
  }
  absl::Status Resume() override {
    paused_ = false;
    return ToStatus(db_->ContinueBackgroundWork());
  }

  absl::Status Read(std::span<const Key> keys, size_t dim, float* out) override {
    slices_.clear();
    for (const Key& key : keys) slices_.push_back(SliceOf(key));
    values_.resize(keys.size());
    statuses_.resize(keys.size());
    db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), keys.size(), slices_.data(),
                  values_.data(), statuses_.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!statuses_[i].ok()) return ToStatus(statuses_[i]);
      std::memcpy(out + i * dim, values_[i].data(), dim * sizeof(float));
      values_[i].Reset();
    }
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<rocksdb::DB> db_;
  bool paused_ = false;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> values_;
  std::vector<rocksdb::Status> statuses_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PlainRocks>> PlainRocks::Open(const std::string& path,
                                                             uint64_t cache_bytes) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(MakeOptions(cache_bytes), path, &db);
  if (!status.ok()) return ToStatus(status);
  return std::make_unique<Database>(std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace rowhouse
