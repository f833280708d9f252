// Byte streams that no client would send: half of them random, half conversations that began as
// valid ones and had fields changed and their checksums made right again, so that the damage gets
// past the codec to what lies behind it.
//
// A pure function of (seed, number): a stream that broke something can be made again alone.
//
// Threading: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/frame.h"
#include "tests/support/frames.h"

namespace rowhouse {

struct GarbageStream {
  std::vector<std::byte> bytes;
  std::string what;  // how it was made, for a failure's message
};

class GarbageMaker {
 public:
  // Conversations are about `target`, one of the tables of a server of `shard_count` shards.
  GarbageMaker(uint64_t seed, TableSpec target, uint32_t shard_count);

  GarbageStream Make(uint64_t number) const;

 private:
  using Random = std::mt19937_64;
  struct Request {
    Op op;
    std::vector<std::byte> body;
  };
  // Who talks in a conversation.
  struct Speaker {
    ShardId shard;
    ClientId client;
    uint64_t sequence_base = 0;
  };
  struct Conversation {
    std::vector<Request> requests;
    std::vector<size_t> bad_headers;  // frames whose header is changed when it is made
    std::vector<size_t> bad_bits;     // frames in which one bit is flipped
    bool cut = false;                 // the stream ends anywhere
  };

  GarbageStream RandomBytes(Random& random) const;
  GarbageStream MutatedFrames(Random& random, uint64_t number) const;

  Conversation ValidConversation(Random& random, uint64_t number) const;
  Request RandomRequest(Random& random, const Speaker& speaker) const;
  TestSection SectionOf(Random& random, ShardId shard) const;
  std::vector<std::byte> PushOf(Random& random, const Speaker& speaker) const;

  // Makes one thing wrong and says what.
  static std::string ChangeBody(Random& random, Conversation* conversation);
  static std::string Change(Random& random, Conversation* conversation);
  static std::vector<std::byte> Encode(Random& random, const Conversation& conversation);

  const uint64_t seed_;
  const TableSpec target_;
  const uint32_t shard_count_;
  std::vector<std::vector<Key>> keys_;  // of the target, by shard
};

}  // namespace rowhouse
