#include "common/wire/checksum.h"

#include <gtest/gtest.h>

#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace rowhouse {
namespace {

std::vector<std::byte> Noise(size_t bytes) {
  std::vector<std::byte> out(bytes);
  uint64_t state = 1;
  for (std::byte& byte : out) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(state >> 56);
  }
  return out;
}

// The plain one, compiled for every x86-64: what is on disk and on the wire must not depend on the
// processor.
TEST(Checksum, IsTheSameInEveryVectorWidth) {
  const std::vector<std::byte> noise = Noise(1 << 20);
  for (size_t bytes = 0; bytes <= noise.size(); bytes = bytes < 2100 ? bytes + 1 : 2 * bytes + 3) {
    const auto part = std::span(noise).first(bytes);
    ASSERT_EQ(Checksum(part), XXH3_64bits(part.data(), part.size())) << bytes;
  }
}

TEST(Checksum, OfPiecesIsThatOfTheWhole) {
  const std::vector<std::byte> noise = Noise(100'000);
  const auto whole = std::span<const std::byte>(noise);
  for (const size_t cut : {0, 1, 239, 1024, 65'537, 100'000}) {
    const std::span<const std::byte> pieces[] = {whole.first(cut), whole.subspan(cut)};
    EXPECT_EQ(Checksum(std::span<const std::span<const std::byte>>(pieces)), Checksum(whole));
  }
  const std::span<const std::byte> one[] = {whole};
  EXPECT_EQ(Checksum(std::span<const std::span<const std::byte>>(one)), Checksum(whole));
}

}  // namespace
}  // namespace rowhouse
