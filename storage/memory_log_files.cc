#include "storage/memory_log_files.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include "common/text.h"

namespace rowhouse {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

enum class ByteState : uint8_t {
  kDirty,    // to be written by the next sync
  kSynced,   // on the disk
  kDropped,  // by a sync that failed: reads well, but is not on the disk, and no sync looks at it
};

struct Content {
  std::vector<std::byte> bytes;
  std::vector<ByteState> states;
  size_t clean_bytes = 0;  // none before is dirty

  // Tests change `bytes` by themselves.
  void Fit() {
    states.resize(bytes.size(), ByteState::kDirty);
    clean_bytes = std::min(clean_bytes, bytes.size());
  }

  void EndSync(ByteState outcome) {
    Fit();
    std::replace(states.begin() + static_cast<ptrdiff_t>(clean_bytes), states.end(),
                 ByteState::kDirty, outcome);
    clean_bytes = bytes.size();
  }

  void Rewrite(uint64_t offset, std::span<const std::byte> again) {
    Fit();
    CHECK(offset + again.size() <= bytes.size() &&
          std::equal(again.begin(), again.end(), bytes.begin() + static_cast<ptrdiff_t>(offset)));
    const auto end = states.begin() + static_cast<ptrdiff_t>(offset + again.size());
    const auto first =
        std::find(end - static_cast<ptrdiff_t>(again.size()), end, ByteState::kDropped);
    if (first == end) return;  // the same bytes over what is on the disk: they stay there
    std::replace(first, end, ByteState::kDropped, ByteState::kDirty);
    clean_bytes = std::min(clean_bytes, static_cast<size_t>(first - states.begin()));
  }

  // What is not on the disk is gone: at the end of the file, or leaving a hole of zeros.
  template <typename IsLost>
  void Lose(IsLost is_lost) {
    Fit();
    while (!states.empty() && is_lost(states.back())) states.pop_back();
    bytes.resize(states.size());
    clean_bytes = std::min(clean_bytes, bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (!is_lost(states[i])) continue;
      bytes[i] = std::byte{0};
      states[i] = ByteState::kSynced;
    }
  }
};

absl::Status Missing(std::string_view name) {
  return absl::NotFoundError(StrCat("memory:", name, ": no such file"));
}

}  // namespace

// All fields are guarded by `mutex`.
struct MemoryLogFiles::State {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Content>, std::less<>> files;
  std::vector<std::weak_ptr<const Content>> removed;
  uint64_t appendable_bytes = kNoLimit;
  uint64_t disk_bytes_max = kNoLimit;
  bool fail_syncs = false;
  bool fail_truncates = false;
  bool fail_removes = false;

  std::shared_ptr<Content> Find(std::string_view name) const {
    const auto found = files.find(name);
    return found == files.end() ? nullptr : found->second;
  }
  uint64_t DiskBytesFree() const {
    if (disk_bytes_max == kNoLimit) return kNoLimit;
    uint64_t used = 0;
    for (const auto& [name, content] : files) used += content->bytes.size();
    for (const auto& gone : removed) {
      if (const auto content = gone.lock()) used += content->bytes.size();
    }
    return disk_bytes_max - std::min(used, disk_bytes_max);
  }
};

class MemoryLogFiles::File final : public LogFile {
 public:
  File(std::string name, std::shared_ptr<State> state, std::shared_ptr<Content> content)
      : name_(std::move(name)), state_(std::move(state)), content_(std::move(content)) {}

  absl::Status Append(std::span<const std::span<const std::byte>> pieces) override {
    const std::lock_guard lock(state_->mutex);
    content_->Fit();
    for (const auto piece : pieces) {
      const uint64_t free = state_->DiskBytesFree();
      const auto bytes =
          static_cast<size_t>(std::min({uint64_t{piece.size()}, free, state_->appendable_bytes}));
      content_->bytes.insert(content_->bytes.end(), piece.begin(),
                             piece.begin() + static_cast<ptrdiff_t>(bytes));
      if (state_->appendable_bytes != kNoLimit) state_->appendable_bytes -= bytes;
      if (bytes == piece.size()) continue;
      if (bytes == free) {
        return absl::ResourceExhaustedError(StrCat("memory:", name_, ": the disk is full"));
      }
      return absl::UnavailableError(StrCat("memory:", name_, ": the write was torn"));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    const std::lock_guard lock(state_->mutex);
    content_->EndSync(state_->fail_syncs ? ByteState::kDropped : ByteState::kSynced);
    if (state_->fail_syncs) {
      return absl::UnavailableError(StrCat("memory:", name_, ": the sync failed"));
    }
    return absl::OkStatus();
  }

  absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(state_->mutex);
    content_->Rewrite(offset, bytes);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t bytes) override {
    const std::lock_guard lock(state_->mutex);
    if (state_->fail_truncates) {
      return absl::UnavailableError(StrCat("memory:", name_, ": the truncation failed"));
    }
    content_->bytes.resize(bytes);
    content_->Fit();
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override {
    const std::lock_guard lock(state_->mutex);
    return content_->bytes.size();
  }

 private:
  const std::string name_;
  const std::shared_ptr<State> state_;
  const std::shared_ptr<Content> content_;
};

MemoryLogFiles::MemoryLogFiles() : state_(std::make_shared<State>()) {}
MemoryLogFiles::~MemoryLogFiles() = default;

absl::StatusOr<std::unique_ptr<LogFile>> MemoryLogFiles::Create(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  const auto [at, is_new] = state_->files.emplace(name, std::make_shared<Content>());
  if (!is_new) return absl::AlreadyExistsError(StrCat(Describe(name), ": the file exists"));
  return std::make_unique<File>(at->first, state_, at->second);
}

absl::StatusOr<std::unique_ptr<LogFile>> MemoryLogFiles::OpenForAppend(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  auto content = state_->Find(name);
  if (content == nullptr) return Missing(name);
  return std::make_unique<File>(std::string(name), state_, std::move(content));
}

absl::StatusOr<std::vector<std::byte>> MemoryLogFiles::Read(std::string_view name, uint64_t offset,
                                                            size_t bytes) const {
  const std::lock_guard lock(state_->mutex);
  const auto content = state_->Find(name);
  if (content == nullptr) return Missing(name);
  const auto& all = content->bytes;
  if (offset >= all.size()) return std::vector<std::byte>();
  const auto first = all.begin() + static_cast<ptrdiff_t>(offset);
  return std::vector<std::byte>(
      first, first + static_cast<ptrdiff_t>(std::min<uint64_t>(bytes, all.size() - offset)));
}

absl::StatusOr<uint64_t> MemoryLogFiles::SizeBytes(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  const auto content = state_->Find(name);
  if (content == nullptr) return Missing(name);
  return content->bytes.size();
}

absl::StatusOr<std::vector<std::string>> MemoryLogFiles::List() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, content] : state_->files) names.push_back(name);
  return names;
}

absl::StatusOr<RemovedFile> MemoryLogFiles::Remove(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->files.find(name);
  if (found == state_->files.end()) return Missing(name);
  if (state_->fail_removes) {
    return absl::UnavailableError(StrCat(Describe(name), ": the removal failed"));
  }
  const std::shared_ptr<const Content> content = std::move(found->second);
  state_->files.erase(found);
  std::erase_if(state_->removed, [](const auto& gone) { return gone.expired(); });
  state_->removed.push_back(content);
  return content;
}

std::string MemoryLogFiles::Describe(std::string_view name) const {
  return StrCat("memory:", name);
}

void MemoryLogFiles::DropUnsynced() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [name, content] : state_->files) {
    content->Lose([](ByteState state) { return state != ByteState::kSynced; });
  }
}

void MemoryLogFiles::DropFailedSyncs() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [name, content] : state_->files) {
    content->Lose([](ByteState state) { return state == ByteState::kDropped; });
  }
}

uint64_t MemoryLogFiles::CleanBytes(std::string_view name) const {
  const std::lock_guard lock(state_->mutex);
  const auto content = state_->Find(name);
  CHECK(content != nullptr) << name;
  content->Fit();
  return content->clean_bytes;
}

void MemoryLogFiles::TearAppendsAfter(uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->appendable_bytes = bytes;
}

void MemoryLogFiles::HealAppends() { TearAppendsAfter(kNoLimit); }

void MemoryLogFiles::SetDiskBytesMax(uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->disk_bytes_max = bytes;
}

void MemoryLogFiles::FailSyncs(bool fail) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_syncs = fail;
}

void MemoryLogFiles::FailTruncates(bool fail) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_truncates = fail;
}

void MemoryLogFiles::FailRemoves(bool fail) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_removes = fail;
}

std::vector<std::byte>& MemoryLogFiles::Contents(std::string_view name) {
  const std::lock_guard lock(state_->mutex);
  const auto content = state_->Find(name);
  CHECK(content != nullptr) << name;
  return content->bytes;
}

}  // namespace rowhouse
