// Pulls and pushes: fixed headers and raw arrays that never pass through a serializer.
//
//   pull        := PullHeader section[section_count] keys
//   pull answer := PullAnswerHeader rows
//   push        := PushHeader section[section_count] keys rows
//   push answer := PushAnswer
//   keys        := u64[sum of row_count], section after section
//   rows        := f32[sum of row_count * dim], section after section, row-major
//
// A section is the part of a request that concerns one table; each table occurs at most once.
// The views below check every size against the body before they point into it.
//
// Threading: views are plain values over memory that the caller keeps alive and unchanged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "common/types.h"

namespace rowhouse {

inline constexpr uint32_t kSectionCountMax = 64;

struct SectionHeader {
  TableId table;
  Generation generation;
  uint32_t dim = 0;
  uint32_t row_count = 0;
  uint32_t element_type = 0;  // 0: float32
};
static_assert(sizeof(SectionHeader) == 24);

struct PullHeader {
  Epoch epoch;
  Step step;  // the step that the pull is for
  uint32_t section_count = 0;
  uint32_t flags = 0;
};
static_assert(sizeof(PullHeader) == 24);

struct PullAnswerHeader {
  Lsn lsn;    // last record applied on the shard when the rows were read
  Mark mark;  // the highest that was announced to the shard
  uint32_t row_count = 0;
  uint32_t flags = 0;
};
static_assert(sizeof(PullAnswerHeader) == 24);

struct PushHeader {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  Sequence unretried_below;  // the client will never again send a number below this one
  Step step;                 // optimizer step that the push is part of, from 1
  Epoch epoch;
  Mark mark;
  ShardId first_shard;  // the shard that this part was first sent to
  uint16_t section_count = 0;
  uint16_t part_count = 1;  // of this push, over all shards: tells whether a step is whole
};
static_assert(sizeof(PushHeader) == 64);

struct PushAnswer {
  Lsn lsn;                 // of the record that holds the push
  Mark mark;               // the highest that was announced to the shard
  uint32_t duplicate = 0;  // 1: it had been applied before, this is the window's answer
  uint32_t flags = 0;
};
static_assert(sizeof(PushAnswer) == 24);

struct PullSection {
  SectionHeader header;
  std::span<const Key> keys;  // [row_count]
};

struct PushSection {
  SectionHeader header;
  std::span<const Key> keys;         // [row_count]
  std::span<const float> gradients;  // [row_count, dim]
};

// A request body with its bounds checked; iterate with section(i).
class PullView {
 public:
  // `body` must be 8-byte aligned. Errors: kMalformed, kTooManyKeys, kTooManyTables.
  static absl::StatusOr<PullView> Parse(std::span<const std::byte> body, uint64_t keys_max);

  const PullHeader& header() const { return header_; }
  uint32_t section_count() const { return header_.section_count; }
  // REQUIRES: i < section_count(). Cost: O(i).
  PullSection section(uint32_t i) const;
  uint64_t row_count() const { return row_count_; }      // over all sections
  uint64_t float_count() const { return float_count_; }  // of the answer

 private:
  PullHeader header_;
  std::span<const SectionHeader> sections_;
  std::span<const Key> keys_;
  uint64_t row_count_ = 0;
  uint64_t float_count_ = 0;
};

class PushView {
 public:
  static absl::StatusOr<PushView> Parse(std::span<const std::byte> body, uint64_t keys_max);

  const PushHeader& header() const { return header_; }
  uint32_t section_count() const { return header_.section_count; }
  PushSection section(uint32_t i) const;
  uint64_t row_count() const { return row_count_; }

 private:
  PushHeader header_;
  std::span<const SectionHeader> sections_;
  std::span<const Key> keys_;
  std::span<const float> gradients_;
  uint64_t row_count_ = 0;
};

}  // namespace rowhouse
