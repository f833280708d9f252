#include "tests/support/frames.h"

#include <glog/logging.h>

#include <cstring>
#include <limits>
#include <memory>

namespace rowhouse {
namespace {

template <typename T>
void Append(std::span<const T> items, std::vector<std::byte>* body) {
  const auto bytes = std::as_bytes(items);
  body->insert(body->end(), bytes.begin(), bytes.end());
}

template <typename Header>
std::vector<std::byte> Body(const Header& header, std::span<const TestSection> sections) {
  std::vector<std::byte> body;
  Append(std::span(&header, 1), &body);
  for (const TestSection& s : sections) {
    const SectionHeader section{s.table, s.generation, s.dim, static_cast<uint32_t>(s.keys.size()),
                                0};
    Append(std::span(&section, 1), &body);
  }
  for (const TestSection& s : sections) Append(std::span<const Key>(s.keys), &body);
  for (const TestSection& s : sections) Append(std::span<const float>(s.gradients), &body);
  return body;
}

}  // namespace

std::vector<std::byte> PullBody(std::span<const TestSection> sections, Epoch epoch) {
  return Body(PullHeader{epoch, Step(1), static_cast<uint32_t>(sections.size()), 0}, sections);
}

std::vector<std::byte> PushBody(const TestPush& push) {
  return Body(PushHeader{push.client, push.incarnation, push.sequence, push.unretried_below,
                         push.step, push.epoch, push.mark, push.first_shard,
                         static_cast<uint16_t>(push.sections.size()), push.part_count},
              push.sections);
}

ReceivedFrame Receive(const OutFrame& frame) {
  std::shared_ptr<uint64_t[]> words(new uint64_t[frame.size_bytes / 8]);
  std::memcpy(words.get(), frame.bytes().data(), frame.size_bytes);
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(words.get()),
                                         frame.size_bytes);
  const Decoded decoded = DecodeFrame(bytes, std::numeric_limits<size_t>::max());
  CHECK(decoded.result == DecodeResult::kGood);
  return {decoded.frame.header, decoded.frame.body, words};
}

}  // namespace rowhouse
