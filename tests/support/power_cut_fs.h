// RocksDB's file system with a plug that can be pulled: what was not synced is gone afterwards.
//
//   PowerCutFs fs(seed);
//   auto tier = OpenRocksDiskTier(path, {.env = fs.env()});
//   fs.DieAfter(100);           // the hundred-and-first change fails, and all that follow
//   ... work until something fails ...
//   tier.reset();
//   fs.PowerCut();              // now the directory is what a disk may hold; power is back
//
// Files keep what was synced, and a random part of what was written behind it. Entries of a
// directory that were made, removed or renamed since it was last synced are undone, from a random
// point in their order on. Only what goes through RocksDB counts; files of one directory tree.
//
// Threading: env() from any thread; the rest while nobody uses it.
#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace rowhouse {

class PowerCutFs {
 public:
  explicit PowerCutFs(uint64_t seed);
  ~PowerCutFs();

  rocksdb::Env* env();

  void DieAfter(uint64_t changes);
  void Die() { DieAfter(0); }
  bool dead() const;
  void PowerCut();
  // Syncs of files and directories report success and do nothing.
  void SwallowSyncs(bool swallow);
  // Things that cuts have undone so far.
  uint64_t bytes_lost() const;
  uint64_t entries_undone() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace rowhouse
