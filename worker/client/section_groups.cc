#include "worker/client/section_groups.h"

#include "worker/client/request.h"

namespace rowhouse {

std::map<ShardId, std::vector<SectionRef>> GroupSections(std::span<const KeySplit> splits) {
  std::map<ShardId, std::vector<SectionRef>> groups;
  for (uint32_t part = 0; part < splits.size(); ++part) {
    for (const ShardKeys& keys : splits[part].shards) groups[keys.shard].push_back({part, &keys});
  }
  return groups;
}

SectionHeader MakeSectionHeader(const Table& table, uint64_t row_count) {
  SectionHeader header;
  header.table = table.id;
  header.generation = table.generation;
  header.dim = table.dim;
  header.row_count = static_cast<uint32_t>(row_count);
  return header;
}

std::vector<std::byte> MakeRequestHead(std::span<const std::byte> header,
                                       std::span<const SectionHeader> sections) {
  std::vector<std::byte> head = HeadWithRoom(header);
  const auto bytes = std::as_bytes(sections);
  head.insert(head.end(), bytes.begin(), bytes.end());
  return head;
}

}  // namespace rowhouse
