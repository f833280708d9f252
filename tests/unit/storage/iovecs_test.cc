#include "storage/iovecs.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rowhouse {
namespace {

std::vector<std::span<const std::byte>> Pieces(const std::vector<std::string>& texts) {
  std::vector<std::span<const std::byte>> out;
  for (const std::string& text : texts) {
    out.push_back(std::as_bytes(std::span(text.data(), text.size())));
  }
  return out;
}

std::string Joined(std::span<const iovec> pieces) {
  std::string out;
  for (const iovec& piece : pieces) {
    out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return out;
}

TEST(Iovecs, EmptyPiecesAreLeftOut) {
  const std::vector<std::string> texts = {"", "ab", "", "c", ""};
  EXPECT_EQ(ToIovecs(Pieces(texts)).size(), 2u);
}

// A write may stop after any byte.
TEST(Iovecs, AdvanceGoesOnAtEveryByte) {
  const std::vector<std::string> texts = {"abc", "d", "", "efgh"};
  const std::string all = "abcdefgh";
  for (size_t first = 0; first <= all.size(); ++first) {
    for (size_t second = 0; first + second <= all.size(); ++second) {
      std::vector<iovec> pieces = ToIovecs(Pieces(texts));
      const auto left = Advance(Advance(pieces, first), second);
      EXPECT_EQ(Joined(left), all.substr(first + second)) << first << " " << second;
      for (const iovec& piece : left) EXPECT_GT(piece.iov_len, 0u);
    }
  }
}

TEST(Iovecs, CopyFrontTakesBytesOverTheBoundsOfPieces) {
  const std::vector<std::string> texts = {"abc", "d", "", "efgh"};
  const std::string all = "abcdefgh";
  for (size_t bytes = 0; bytes <= all.size(); ++bytes) {
    std::vector<iovec> pieces = ToIovecs(Pieces(texts));
    std::string front(bytes, '-');
    const auto left = CopyFront(pieces, std::as_writable_bytes(std::span(front)));
    EXPECT_EQ(front, all.substr(0, bytes));
    EXPECT_EQ(Joined(left), all.substr(bytes));
    EXPECT_EQ(TotalBytes(left), all.size() - bytes);
  }
}

}  // namespace
}  // namespace rowhouse
