// The text of a data directory's IDENTITY file.
//
//   rowhouse data directory
//   format = 1
//   timeline = 0x0123456789abcdef
//   shard = 0
//   shard_count = 2
//   slot_bits = 14
//   checksum = 0x0123456789abcdef        XXH3-64 of the lines above
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/data_dir.h"

namespace rowhouse {

std::string EncodeIdentity(const ShardIdentity& identity);

// Errors: DataLoss where the text is damaged, Unimplemented where its format is newer. Messages
// say what is wrong, not where; DataDir adds the path.
absl::StatusOr<ShardIdentity> DecodeIdentity(std::string_view text);

}  // namespace rowhouse
