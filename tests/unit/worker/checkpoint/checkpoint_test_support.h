// Checkpoints made by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/text.h"
#include "common/wire/frame.h"
#include "tests/support/temp_dir.h"
#include "worker/checkpoint/checkpoint_directory.h"

namespace rowhouse {

inline uint64_t ChecksumOfText(std::string_view text) {
  return Checksum(std::as_bytes(std::span(text.data(), text.size())));
}

class HandmadeCheckpoints {
 public:
  HandmadeCheckpoints() : directory_(*CheckpointDirectory::Create(dir_.path() + "/made")) {}

  const CheckpointDirectory& directory() const { return directory_; }
  std::string path(const std::string& file) const {
    return StrCat(directory_.files_path(), "/", file);
  }

  void Put(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
  }

  // A checkpoint of one shard whose files hold their own names.
  void Add(uint64_t number, const std::vector<std::string>& files) const {
    CheckpointManifest manifest;
    manifest.mark = Mark(number);
    manifest.timeline = Timeline(9);
    manifest.shard_count = 1;
    manifest.slot_bits = 14;
    manifest.shards.push_back({ShardId(0), Lsn(1), Lsn(2), {}});
    for (const std::string& name : files) {
      Put(name, name);
      manifest.shards[0].files.push_back({name, "rows/" + name, name.size(), ChecksumOfText(name)});
    }
    const absl::Status written = directory_.Write(manifest);
    EXPECT_TRUE(written.ok()) << written;
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.files_path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  TempDir dir_;
  CheckpointDirectory directory_;
};

}  // namespace rowhouse
