// A disk tier that hands every call on to another one: tests override what they change.
//
// Threading: as the other one.
// Ownership: the other one's is the caller's; it must outlive this one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/disk_tier.h"

namespace rowhouse {

class ForwardingDiskTier : public DiskTier {
 public:
  explicit ForwardingDiskTier(DiskTier* tier) : tier_(tier) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    return tier_->Ingest(entries);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    return tier_->Read(keys);
  }
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    return tier_->Scan(begin, end, visit);
  }
  uint64_t memory_bytes() const override { return tier_->memory_bytes(); }
  absl::Status Freeze(const std::string& name) override { return tier_->Freeze(name); }
  absl::Status DropFrozen(const std::string& name) override { return tier_->DropFrozen(name); }
  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    return tier_->OpenFrozen(name);
  }
  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    return tier_->ListFrozen(name);
  }

 protected:
  DiskTier& tier() const { return *tier_; }

 private:
  DiskTier* const tier_;
};

}  // namespace rowhouse
