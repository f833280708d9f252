#include "common/wire/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "common/refusal.h"
#include "common/wire/control.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {
namespace {

using Bytes = std::vector<std::byte>;

constexpr size_t kNoLimit = 1 << 20;

Bytes ToBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes MakeBytes(std::string_view body, Op op = Op::kPush, uint64_t id = 7) {
  const OutFrame frame = MakeFrame(op, id, std::as_bytes(std::span(body)));
  return {frame.bytes().begin(), frame.bytes().end()};
}

// A header changed by `change`, with its checksum made right again.
template <typename Change>
Bytes WithHeader(Bytes frame, Change change) {
  FrameHeader header;
  std::memcpy(&header, frame.data(), sizeof(header));
  change(&header);
  header.header_checksum =
      Checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(FrameHeader, header_checksum)));
  std::memcpy(frame.data(), &header, sizeof(header));
  return frame;
}

RefusalReason BadReason(const Bytes& input, size_t frame_bytes_max = kNoLimit) {
  const Decoded decoded = DecodeFrame(input, frame_bytes_max);
  EXPECT_EQ(decoded.result, DecodeResult::kBad);
  return ReasonOf(decoded.status);
}

TEST(FrameDecoder, ReadsWhatTheBuilderWrites) {
  for (const size_t body_bytes : {0, 1, 7, 8, 9, 1000}) {
    const std::string body(body_bytes, 'x');
    const Bytes bytes = MakeBytes(body, Op::kStats, 0x1122334455667788);
    const Decoded decoded = DecodeFrame(bytes, kNoLimit);
    ASSERT_EQ(decoded.result, DecodeResult::kGood) << decoded.status;
    EXPECT_EQ(decoded.frame.op(), Op::kStats);
    EXPECT_EQ(decoded.frame.header.request_id, 0x1122334455667788u);
    EXPECT_EQ(decoded.frame_bytes, bytes.size());
    EXPECT_EQ(decoded.frame_bytes % 8, 0u);
    EXPECT_TRUE(std::ranges::equal(decoded.frame.body, ToBytes(body)));
  }
}

TEST(FrameDecoder, NeedsMoreAtEveryTruncation) {
  const Bytes whole = MakeBytes("thirteen byte");
  for (size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const Decoded decoded = DecodeFrame(part, kNoLimit);
    ASSERT_EQ(decoded.result, DecodeResult::kNeedMore) << size;
    EXPECT_EQ(decoded.frame_bytes, size < kFrameHeaderBytes ? 0 : whole.size());
  }
}

TEST(FrameDecoder, NeedsMoreOfNothing) {
  EXPECT_EQ(DecodeFrame({}, kNoLimit).result, DecodeResult::kNeedMore);
}

TEST(FrameDecoder, RefusesEveryFlippedBit) {
  const Bytes whole = MakeBytes("thirteen byte");
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes flipped = whole;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_EQ(DecodeFrame(flipped, kNoLimit).result, DecodeResult::kBad) << "bit " << bit;
  }
}

TEST(FrameDecoder, LeavesTheNextFrameAlone) {
  Bytes two = MakeBytes("one");
  const size_t first_bytes = two.size();
  const Bytes second = MakeBytes("two, longer", Op::kPull, 8);
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(DecodeFrame(two, kNoLimit).frame_bytes, first_bytes);
  const Decoded next = DecodeFrame(std::span(two).subspan(first_bytes), kNoLimit);
  EXPECT_EQ(next.frame.header.request_id, 8u);
}

TEST(FrameDecoder, RefusesAStrangerFromTheFirstWrongByteOn) {
  const Bytes whole = MakeBytes("body");
  for (size_t size = 1; size <= 4; ++size) {
    Bytes head(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    head.back() ^= std::byte{0x20};
    EXPECT_EQ(BadReason(head), RefusalReason::kBadMagic) << size;
  }
}

TEST(FrameDecoder, ShowsWhatAStrangerSaid) {
  const Decoded decoded = DecodeFrame(ToBytes("GET / HTTP/1.1\r\n"), kNoLimit);
  const std::string message(decoded.status.message());
  EXPECT_NE(message.find("RWHS"), std::string::npos) << message;
  EXPECT_NE(message.find("GET "), std::string::npos) << message;
}

TEST(FrameDecoder, RefusesOtherVersionsByName) {
  for (const uint16_t version : {0, 2, 0xffff}) {
    const Bytes frame =
        WithHeader(MakeBytes("body"), [&](FrameHeader* header) { header->version = version; });
    EXPECT_EQ(BadReason(frame), RefusalReason::kBadVersion);
    const std::string message(DecodeFrame(frame, kNoLimit).status.message());
    EXPECT_NE(message.find(std::to_string(version)), std::string::npos) << message;
  }
}

TEST(FrameDecoder, RefusesLengthBeyondLimitAsSoonAsTheHeaderIsThere) {
  Bytes frame = MakeBytes(std::string(100, 'x'));
  EXPECT_EQ(DecodeFrame(frame, frame.size()).result, DecodeResult::kGood);
  frame.resize(kFrameHeaderBytes);
  EXPECT_EQ(BadReason(frame, kFrameHeaderBytes + 103), RefusalReason::kFrameTooLarge);
}

TEST(FrameDecoder, RefusesTheLargestLength) {
  Bytes frame =
      WithHeader(MakeBytes("body"), [](FrameHeader* header) { header->body_bytes = 0xffffffff; });
  EXPECT_EQ(BadReason(frame), RefusalReason::kFrameTooLarge);
  const Decoded unlimited = DecodeFrame(frame, SIZE_MAX);
  EXPECT_EQ(unlimited.result, DecodeResult::kNeedMore);
  EXPECT_EQ(unlimited.frame_bytes, kFrameHeaderBytes + (size_t{1} << 32));
}

TEST(FrameDecoder, RefusesFlagsAndPaddingThatItDoesNotKnow) {
  const Bytes flags = WithHeader(MakeBytes("body"), [](FrameHeader* h) { h->flags = 0x80000000; });
  EXPECT_EQ(BadReason(flags), RefusalReason::kMalformed);
  Bytes padding = MakeBytes("body");
  padding.back() = std::byte{1};
  EXPECT_EQ(BadReason(padding), RefusalReason::kMalformed);
}

TEST(FrameDecoder, TellsDamagedHeadersFromDamagedBodies) {
  Bytes header = MakeBytes("body");
  header[6] ^= std::byte{1};
  EXPECT_EQ(BadReason(header), RefusalReason::kBadChecksum);
  Bytes body = MakeBytes("body");
  body[kFrameHeaderBytes] ^= std::byte{1};
  EXPECT_EQ(BadReason(body), RefusalReason::kBadChecksum);
}

TEST(Checksum, OfPiecesIsThatOfTheWhole) {
  Bytes whole(700);
  for (size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::byte>(i * 37);
  const std::span<const std::byte> bytes(whole);
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    const std::vector<std::span<const std::byte>> pieces = {
        bytes.first(cut / 2), {}, bytes.subspan(cut / 2, cut - cut / 2), bytes.subspan(cut)};
    ASSERT_EQ(Checksum(pieces), Checksum(bytes)) << cut;
  }
}

// These are on disks and wires: they never change.
TEST(Checksum, IsPinned) {
  EXPECT_EQ(Checksum(std::span<const std::byte>()), 0x2d06800538d394c2u);
  EXPECT_EQ(Checksum(ToBytes("Rowhouse")), 0x934f5f312a14c9e3u);
}

TEST(FrameBuilder, ErrorFramesCarryReasonAndMessage) {
  const OutFrame out = MakeErrorFrame(9, Refuse(RefusalReason::kUnknownTable, "no table 'x'"));
  const Decoded decoded = DecodeFrame(out.bytes(), kNoLimit);
  ASSERT_EQ(decoded.result, DecodeResult::kGood);
  EXPECT_EQ(decoded.frame.op(), Op::kError);
  const auto answer = DecodeControl<ErrorAnswer>(decoded.frame.body);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->reason, RefusalReason::kUnknownTable);
  EXPECT_EQ(answer->message, "no table 'x'");
}

}  // namespace
}  // namespace rowhouse
