#include "common/wire/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "common/refusal.h"
#include "common/wire/control.h"

namespace rowhouse {
namespace {

using Bytes = std::vector<std::byte>;

TableSpec SomeSpec() {
  TableSpec spec;
  spec.name = "user";
  spec.dim = 64;
  spec.seed = 0x0123456789abcdef;
  spec.initializer = Initializer::Normal(0.5f, 0.25f);
  spec.adagrad.lr = 0.1;
  spec.durability = Durability::kFsync;
  return spec;
}

// One of each message, no field at its default.
auto Samples() {
  return std::tuple(Hello{1, 2, ShardId(3), Timeline(4), "a program"},
                    HelloAnswer{1, Timeline(2), Epoch(3), 14, 5, {ShardId(0), ShardId(4)}, 6, 7},
                    HelloAnswer{2,
                                Timeline(2),
                                Epoch(3),
                                14,
                                5,
                                {ShardId(0), ShardId(4)},
                                6,
                                7,
                                {8, "/s", "127.0.0.1:9", "127.0.0.1:10"}},
                    CreateTable{SomeSpec()}, CreateTableAnswer{TableId(1), Generation(2)},
                    QueryClient{ClientId(~0ull)}, QueryClientAnswer{Incarnation(9)},
                    OpenClient{ClientId(1), Incarnation(2)},
                    OpenClientAnswer{Sequence(1), {Sequence(2), Sequence(~0ull)}, Mark(3)},
                    Stats{1}, StatsAnswer{{{"rows", 1}, {"", 2}}},
                    ErrorAnswer{RefusalReason::kWrongDim, "table 'user': dim is 1"});
}

template <typename F>
void ForEachSample(F f) {
  std::apply([&](const auto&... message) { (f(message), ...); }, Samples());
}

template <typename Message>
RefusalReason DecodeReason(std::span<const std::byte> bytes) {
  // A copy of just these bytes, so that a sanitizer sees every read beyond them.
  const Bytes exact(bytes.begin(), bytes.end());
  return ReasonOf(DecodeControl<Message>(exact).status());
}

TEST(ControlArchive, ReadsWhatItWrites) {
  ForEachSample([]<typename Message>(const Message& message) {
    const Bytes bytes = EncodeControl(message);
    const auto decoded = DecodeControl<Message>(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(EncodeControl(*decoded), bytes) << Message::kName;
  });
}

TEST(ControlArchive, KeepsEveryFieldOfASpec) {
  const auto decoded = DecodeControl<CreateTable>(EncodeControl(CreateTable{SomeSpec()}));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->spec, SomeSpec());
}

TEST(ControlArchive, RefusesEveryTruncation) {
  ForEachSample([]<typename Message>(const Message& message) {
    const Bytes bytes = EncodeControl(message);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(DecodeReason<Message>(std::span(bytes).first(size)), RefusalReason::kMalformed)
          << Message::kName << " cut to " << size;
    }
  });
}

TEST(ControlArchive, RefusesBytesTooMany) {
  ForEachSample([]<typename Message>(const Message& message) {
    Bytes bytes = EncodeControl(message);
    bytes.push_back({});
    EXPECT_EQ(DecodeReason<Message>(bytes), RefusalReason::kMalformed) << Message::kName;
  });
}

TEST(ControlArchive, SurvivesEveryByteSetToAnyValue) {
  ForEachSample([]<typename Message>(const Message& message) {
    const Bytes bytes = EncodeControl(message);
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        Bytes mutated = bytes;
        mutated[at] = static_cast<std::byte>(value);
        const auto decoded = DecodeControl<Message>(mutated);
        // What is taken is what was written, bit for bit: nothing is guessed.
        if (decoded.ok()) {
          EXPECT_EQ(EncodeControl(*decoded), mutated) << Message::kName;
        }
      }
    }
  });
}

// One byte on the wire; counts how many a reader has made.
struct Probe {
  static inline size_t made = 0;
  uint8_t byte = 0;

  Probe() { ++made; }
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(byte);
  }
};

struct Probes {
  static constexpr std::string_view kName = "probes";
  std::vector<Probe> probes;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(probes);
  }
};

Bytes CountAndBytes(uint32_t count, size_t bytes) {
  Bytes out(sizeof(count) + bytes);
  std::memcpy(out.data(), &count, sizeof(count));
  return out;
}

TEST(ControlArchive, ASizeFieldNeverMakesMoreElementsThanThereAreBytes) {
  for (const size_t bytes : {0, 3, 1000}) {
    Probe::made = 0;
    EXPECT_EQ(DecodeReason<Probes>(CountAndBytes(0xffffffff, bytes)), RefusalReason::kMalformed);
    EXPECT_EQ(Probe::made, bytes + 1);  // the last one found no byte
  }
}

TEST(ControlArchive, AStringIsTakenOnlyWhereAllItsBytesAre) {
  std::string text;
  const Bytes bytes = CountAndBytes(0xffffffff, 5);
  ControlReader reader(bytes);
  EXPECT_THROW(reader(text), ControlReadError);
  EXPECT_EQ(text.capacity(), std::string().capacity());
}

struct Nothing {
  template <typename Archive>
  void serialize(Archive&) {}
};

struct Nothings {
  static constexpr std::string_view kName = "nothings";
  std::vector<Nothing> items;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(items);
  }
};

TEST(ControlArchive, RefusesSequencesOfNothing) {
  EXPECT_EQ(DecodeReason<Nothings>(CountAndBytes(0xffffffff, 0)), RefusalReason::kMalformed);
  EXPECT_EQ(DecodeReason<Nothings>(CountAndBytes(0, 0)), RefusalReason::kNone);
}

struct Truth {
  static constexpr std::string_view kName = "truth";
  bool value = false;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(value);
  }
};

TEST(ControlArchive, TruthIsZeroOrOne) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto decoded = DecodeControl<Truth>(Bytes{static_cast<std::byte>(byte)});
    ASSERT_EQ(decoded.ok(), byte <= 1) << byte;
    if (decoded.ok()) {
      EXPECT_EQ(decoded->value, byte == 1);
    }
  }
}

TEST(ControlArchive, ErrorsNameTheMessage) {
  const auto decoded = DecodeControl<HelloAnswer>(Bytes(3));
  EXPECT_TRUE(decoded.status().message().find("hello answer") != absl::string_view::npos)
      << decoded.status();
}

// The encoding is a wire format: these bytes never change.
TEST(ControlArchive, EncodingIsPinned) {
  const OpenClientAnswer answer{Sequence(0x0102030405060708), {Sequence(9)}, Mark(1), Step(2)};
  const std::vector<int> expected = {8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0,
                                     0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
  std::vector<int> bytes;
  for (const std::byte b : EncodeControl(answer)) bytes.push_back(static_cast<int>(b));
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace rowhouse
