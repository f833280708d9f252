#include "tests/integration/garbage_stream.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <limits>
#include <span>
#include <utility>

#include "common/text.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/data.h"
#include "common/wire/frame_builder.h"
#include "tests/integration/raw_client.h"

namespace rowhouse {
namespace {

using Random = std::mt19937_64;
using Bytes = std::vector<std::byte>;

constexpr size_t kKeysPerShard = 40;

uint64_t Below(Random& random, uint64_t bound) { return random() % bound; }
bool OneIn(Random& random, uint64_t n) { return Below(random, n) == 0; }

// Numbers at which something changes: limits, signs, sizes, floats that are none.
uint64_t Interesting(Random& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  static constexpr std::array<uint64_t, 20> kValues = {0,
                                                       1,
                                                       2,
                                                       3,
                                                       63,
                                                       64,
                                                       65,
                                                       255,
                                                       kDimMax,
                                                       kDimMax + 1,
                                                       0x7fffffff,
                                                       0x80000000,
                                                       0xffffffff,
                                                       0x7fffffffffffffff,
                                                       0x8000000000000000,
                                                       ~uint64_t{0},
                                                       0x7fc000007fc00000,  // two NaNs
                                                       std::bit_cast<uint32_t>(kInfinity),
                                                       std::bit_cast<uint32_t>(1e15f),
                                                       std::bit_cast<uint32_t>(-1.1e15f)};
  return OneIn(random, 3) ? random() : kValues[Below(random, kValues.size())];
}

Bytes Noise(Random& random, size_t count) {
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Overwrites 1, 2, 4 or 8 bytes, at a multiple of their number.
void OverwriteWord(Random& random, Bytes* body) {
  const size_t width = size_t{1} << Below(random, 4);
  if (body->size() < width) return;
  const size_t at = Below(random, body->size() / width) * width;
  const uint64_t value = Interesting(random);
  std::memcpy(body->data() + at, &value, width);
}

// Only the fixed headers of pulls and pushes: epochs, counts, dims, numbers.
void OverwriteHeaderWord(Random& random, Bytes* body) {
  constexpr size_t kHeaderBytes = sizeof(PushHeader) + sizeof(SectionHeader);
  if (body->size() < 8) return;
  const size_t at = Below(random, std::min(kHeaderBytes, body->size()) / 4) * 4;
  const uint64_t value = OneIn(random, 2) ? Below(random, 8) : Interesting(random);
  std::memcpy(body->data() + at, &value, OneIn(random, 2) && at + 8 <= body->size() ? 8 : 4);
}

void Resize(Random& random, Bytes* body) {
  if (OneIn(random, 2)) {
    body->resize(Below(random, body->size() + 1));
  } else {
    const Bytes noise = Noise(random, 1 + Below(random, 64));
    body->insert(body->end(), noise.begin(), noise.end());
  }
}

void MoveTail(Random& random, Bytes* body) {
  const auto at = body->begin() + static_cast<std::ptrdiff_t>(Below(random, body->size() + 1));
  if (OneIn(random, 2)) {
    body->insert(at, 8, std::byte{0});
  } else {
    body->erase(at, at + std::min<std::ptrdiff_t>(8, body->end() - at));
  }
}

void CopyChunk(Random& random, const Bytes& from, Bytes* to) {
  if (from.empty() || to->empty()) return;
  const size_t source = Below(random, from.size());
  const size_t target = Below(random, to->size());
  const size_t count = std::min({from.size() - source, to->size() - target, size_t{32}});
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(source), count,
              to->begin() + static_cast<std::ptrdiff_t>(target));
}

void SignHeader(Bytes* frame) {
  constexpr size_t kAt = offsetof(FrameHeader, header_checksum);
  const uint64_t checksum = Checksum(std::span(*frame).first(kAt));
  std::memcpy(frame->data() + kAt, &checksum, sizeof(checksum));
}

// One field of the frame's header, which then has its right checksum again.
void ChangeFrameHeader(Random& random, Bytes* frame) {
  FrameHeader header;
  std::memcpy(&header, frame->data(), sizeof(header));
  switch (Below(random, 7)) {
    case 0:
      header.magic = static_cast<uint32_t>(Interesting(random));
      break;
    case 1:
      header.version = static_cast<uint16_t>(Interesting(random));
      break;
    case 2:
      header.op = static_cast<uint16_t>(OneIn(random, 2) ? Below(random, 10) : Interesting(random));
      break;
    case 3:
      header.body_bytes = static_cast<uint32_t>(Interesting(random));
      break;
    case 4:
      header.flags = static_cast<uint32_t>(Interesting(random));
      break;
    case 5:
      header.request_id = Interesting(random);
      break;
    case 6:
      header.body_bytes += static_cast<uint32_t>(Below(random, 17)) - 8;
      break;
  }
  std::memcpy(frame->data(), &header, sizeof(header));
  SignHeader(frame);
}

void FlipBit(Random& random, Bytes* bytes) {
  if (bytes->empty()) return;
  (*bytes)[Below(random, bytes->size())] ^= std::byte{1} << Below(random, 8);
}

}  // namespace

GarbageMaker::GarbageMaker(uint64_t seed, TableSpec target, uint32_t shard_count)
    : seed_(seed), target_(std::move(target)), shard_count_(shard_count) {
  for (uint32_t shard = 0; shard < shard_count; ++shard) {
    keys_.push_back(KeysOnShard(target_, ShardId(shard), shard_count, kKeysPerShard));
  }
}

GarbageStream GarbageMaker::Make(uint64_t number) const {
  std::seed_seq sequence{static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32),
                         static_cast<uint32_t>(number)};
  Random random(sequence);
  return number % 2 == 0 ? RandomBytes(random) : MutatedFrames(random, number);
}

// Some after the magic, some after a right hello, so that more than the lobby sees them.
GarbageStream GarbageMaker::RandomBytes(Random& random) const {
  GarbageStream stream;
  stream.what = "random bytes";
  const auto append = [&](std::span<const std::byte> bytes) {
    stream.bytes.insert(stream.bytes.end(), bytes.begin(), bytes.end());
  };
  if (OneIn(random, 3)) {
    const ShardId shard(static_cast<uint32_t>(Below(random, shard_count_)));
    append(MakeControlFrame(Op::kHello, 1, HelloFor(shard)).bytes());
    stream.what += " after a hello";
  }
  if (OneIn(random, 3)) {
    append(std::as_bytes(std::span(&kFrameMagic, 1)));
    stream.what += " after the magic";
  }
  append(Noise(random, Below(random, 2000)));
  return stream;
}

GarbageStream GarbageMaker::MutatedFrames(Random& random, uint64_t number) const {
  GarbageStream stream;
  Conversation conversation = ValidConversation(random, number);
  for (uint64_t changes = 1 + Below(random, 3); changes > 0; --changes) {
    stream.what += StrCat(Change(random, &conversation), "; ");
  }
  stream.bytes = Encode(random, conversation);
  return stream;
}

std::string GarbageMaker::Change(Random& random, Conversation* conversation) {
  std::vector<Request>& requests = conversation->requests;
  const size_t i = Below(random, requests.size());
  switch (Below(random, 12)) {
    case 0:
      conversation->bad_headers.push_back(i);
      return StrCat("header of frame ", i);
    case 1:
      conversation->bad_bits.push_back(i);
      return StrCat("a bit of frame ", i);
    case 2:
      conversation->cut = true;
      return "cut";
    case 3: {
      const Request again = requests[i];
      const size_t at = Below(random, requests.size() + 1);
      requests.insert(requests.begin() + static_cast<std::ptrdiff_t>(at), again);
      return StrCat("request ", i, " again at ", at);
    }
    default:
      return ChangeBody(random, conversation);
  }
}

std::string GarbageMaker::ChangeBody(Random& random, Conversation* conversation) {
  std::vector<Request>& requests = conversation->requests;
  // The hello less often than the rest: behind it is more to break.
  const size_t i = OneIn(random, 8) ? 0 : 1 + Below(random, requests.size() - 1);
  Bytes* const body = &requests[i].body;
  switch (Below(random, 8)) {
    case 0:
      Resize(random, body);
      return StrCat("size of request ", i);
    case 1:
      MoveTail(random, body);
      return StrCat("tail of request ", i);
    case 2:
      CopyChunk(random, requests[Below(random, requests.size())].body, body);
      return StrCat("part of request ", i);
    case 3:
    case 4:
      OverwriteWord(random, body);
      return StrCat("word of request ", i);
    default:
      OverwriteHeaderWord(random, body);
      return StrCat("fixed header of request ", i);
  }
}

std::vector<std::byte> GarbageMaker::Encode(Random& random, const Conversation& conversation) {
  Bytes bytes;
  for (size_t i = 0; i < conversation.requests.size(); ++i) {
    const Request& request = conversation.requests[i];
    const OutFrame made = MakeFrame(request.op, i + 1, request.body);
    Bytes frame(made.bytes().begin(), made.bytes().end());
    const auto is_this = [i](size_t other) { return other == i; };
    if (std::any_of(conversation.bad_headers.begin(), conversation.bad_headers.end(), is_this)) {
      ChangeFrameHeader(random, &frame);
    }
    if (std::any_of(conversation.bad_bits.begin(), conversation.bad_bits.end(), is_this)) {
      FlipBit(random, &frame);
    }
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  if (conversation.cut) bytes.resize(Below(random, bytes.size() + 1));
  return bytes;
}

// A client is used by some streams and then left alone: damage may have fenced it for good.
GarbageMaker::Conversation GarbageMaker::ValidConversation(Random& random, uint64_t number) const {
  Speaker speaker;
  speaker.shard = ShardId(static_cast<uint32_t>(Below(random, shard_count_)));
  speaker.client = ClientId(1 + number / 8);
  speaker.sequence_base = number * 16;
  const OpenClient open{speaker.client, Incarnation(1)};
  Conversation conversation;
  conversation.requests = {{Op::kHello, EncodeControl(HelloFor(speaker.shard))},
                           {Op::kOpenClient, EncodeControl(open)}};
  for (uint64_t more = 1 + Below(random, 5); more > 0; --more) {
    conversation.requests.push_back(RandomRequest(random, speaker));
  }
  return conversation;
}

GarbageMaker::Request GarbageMaker::RandomRequest(Random& random, const Speaker& speaker) const {
  switch (Below(random, 8)) {
    case 0:
      return {Op::kStats, EncodeControl(Stats())};
    case 1:
      return {Op::kQueryClient, EncodeControl(QueryClient{speaker.client})};
    case 2:
      return {Op::kCreateTable, EncodeControl(CreateTable{target_})};
    case 3:
    case 4: {
      const TestSection section = SectionOf(random, speaker.shard);
      return {Op::kPull, PullBody({&section, 1})};
    }
    default:
      return {Op::kPush, PushOf(random, speaker)};
  }
}

TestSection GarbageMaker::SectionOf(Random& random, ShardId shard) const {
  TestSection section;
  section.table = TableIdOf(target_.name);
  section.dim = target_.dim;
  const std::vector<Key>& keys = keys_[shard.value()];
  std::sample(keys.begin(), keys.end(), std::back_inserter(section.keys), Below(random, 12),
              random);
  return section;
}

std::vector<std::byte> GarbageMaker::PushOf(Random& random, const Speaker& speaker) const {
  TestPush push;
  push.client = speaker.client;
  push.sequence = Sequence(speaker.sequence_base + 1 + Below(random, 16));
  push.unretried_below = Sequence(1 + Below(random, push.sequence.value()));
  push.step = Step(1 + Below(random, 1000));
  push.first_shard = speaker.shard;
  TestSection section = SectionOf(random, speaker.shard);
  for (size_t i = 0; i < section.keys.size() * target_.dim; ++i) {
    section.gradients.push_back(static_cast<float>(Below(random, 2001)) / 1000 - 1);
  }
  push.sections = {std::move(section)};
  return PushBody(push);
}

}  // namespace rowhouse
