// The bounds within which a shard works; settings.cc gives each a flag.
#pragma once

#include <cstdint>

namespace rowhouse {

struct ShardLimits {
  uint64_t frame_bytes_max = 64ull << 20;
  uint64_t keys_per_request_max = 1ull << 20;
  uint32_t tables_max = 1024;
  uint32_t clients_max = 65536;
  uint64_t client_retention_ms = 24ull * 3600 * 1000;
  uint32_t dedup_entries_max = 4096;
  uint64_t checkpoint_timeout_ms = 10ull * 60 * 1000;
  uint64_t log_buffer_bytes_max = 256ull << 20;
  // How long records of durability `memory` may gather before they are written, unless 256 KiB of
  // them, or a record that somebody waits for, comes first. 0: not at all.
  uint32_t log_delay_ms = 10;
  // A flush writes every changed row, so it is due when the log since the last one is
  // flush_log_ratio times as large as they are, which bounds what flushes add to the log's own
  // writing; but not before flush_log_bytes, and at flush_log_bytes_max at the latest, which bounds
  // what a start has to replay (about 3 GB a second). Under a memory budget flush_log_bytes alone
  // counts, and changed rows that fill the memory.
  uint64_t flush_log_bytes = 1ull << 30;
  uint32_t flush_log_ratio = 4;
  uint64_t flush_log_bytes_max = 16ull << 30;
  // From flush_log_bytes on, a lull is used: with nothing logged for so long, a flush is in
  // nobody's way, and makes a restart quick. 0: never.
  uint32_t flush_lull_ms = 1000;
  uint32_t flush_step_rows = 2048;
  uint32_t flush_file_rows = 65536;

  // For rows, their index, and what is copied of them for a flush; 0: no limit. A server's whole
  // budget is divided in ps/memory_budget.h.
  uint64_t memory_bytes_max = 0;
  uint32_t read_jobs_max = 4;    // reads of missing rows under way at a time
  uint32_t read_job_keys = 256;  // rows in one of them
  uint32_t evict_step_rows = 2048;
};

}  // namespace rowhouse
