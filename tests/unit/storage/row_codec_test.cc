#include "storage/row_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "common/fingerprint.h"
#include "common/slot_map.h"

namespace rowhouse {
namespace {

using ::testing::HasSubstr;

constexpr RowLayout kLayout(2, 1);

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

// A row in aligned memory of its own.
class Row {
 public:
  explicit Row(Key key = Key(0)) : words_(kLayout.stride_bytes() / 8) {
    RowLayout::Header(bytes()).key = key;
  }
  std::byte* bytes() { return reinterpret_cast<std::byte*>(words_.data()); }

 private:
  std::vector<uint64_t> words_;
};

Row SampleRow() {
  Row row(Key(0x0102030405060708));
  RowLayout::Header(row.bytes()).lsn = Lsn(0x1122334455667788);
  RowLayout::Header(row.bytes()).generation = Generation(9);
  RowLayout::Header(row.bytes()).flags = kRowDirty;
  RowLayout::Weights(row.bytes())[0] = 1.0f;
  RowLayout::Weights(row.bytes())[1] = -2.0f;
  kLayout.State(row.bytes())[0] = 0.5f;
  return row;
}

TEST(RowCodec, GoldenBytes) {
  Row row = SampleRow();
  const DiskEntry entry = EncodeRow(TableId(0xa1a2a3a4a5a6a7a8), kLayout, row.bytes());
  EXPECT_EQ(Hex(entry.key),
            "38e8"
            "a1a2a3a4a5a6a7a8"
            "0102030405060708");
  EXPECT_EQ(Hex(entry.value),
            "01000000"
            "09000000"
            "8877665544332211"
            "0000803f"
            "000000c0"
            "0000003f");
}

TEST(RowCodec, RowComesBackExceptForKeyAndFlags) {
  Row from = SampleRow();
  const DiskEntry entry = EncodeRow(TableId(1), kLayout, from.bytes());
  Row to(Key(5));
  ASSERT_TRUE(DecodeRow(entry.value, kLayout, to.bytes()).ok());
  EXPECT_EQ(RowLayout::Header(to.bytes()).key, Key(5));
  EXPECT_EQ(RowLayout::Header(to.bytes()).lsn, Lsn(0x1122334455667788));
  EXPECT_EQ(RowLayout::Header(to.bytes()).flags, 0u);
  EXPECT_EQ(std::memcmp(RowLayout::Weights(to.bytes()), RowLayout::Weights(from.bytes()), 12), 0);
  EXPECT_EQ(RowGeneration(entry.value).value(), Generation(9));
}

TEST(RowCodec, KeyComesBack) {
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    const auto decoded = DecodeRowKey(EncodeRowKey(TableId(~0ull), Key(key)));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->key, Key(key));
    EXPECT_EQ(decoded->table, TableId(~0ull));
    EXPECT_EQ(decoded->slot, SlotOf(Fingerprint(TableId(~0ull), Key(key))));
  }
}

TEST(RowCodec, KeysSortBySlotThenTableThenKey) {
  std::mt19937_64 random(3);
  std::vector<std::string> keys;
  for (int i = 0; i < 2000; ++i) {
    keys.push_back(EncodeRowKey(TableId(random() % 3 << 60), Key(random() % 500)));
  }
  std::sort(keys.begin(), keys.end());
  for (size_t i = 1; i < keys.size(); ++i) {
    const RowKey a = *DecodeRowKey(keys[i - 1]);
    const RowKey b = *DecodeRowKey(keys[i]);
    EXPECT_LE(std::tie(a.slot, a.table, a.key), std::tie(b.slot, b.table, b.key));
  }
}

TEST(RowCodec, MetaKeysSortBehindEveryRow) {
  EXPECT_GT(MetaBegin(), std::string("\x3f\xff") + std::string(16, '\xff'));
  EXPECT_LT(MetaBegin(), MetaKey("a"));
  EXPECT_LT(MetaKey("a"), MetaKey("b"));
  EXPECT_EQ(MetaKey("clocks").substr(MetaBegin().size()), "clocks");
}

TEST(RowCodec, RefusesKeysThatAreNotRowKeys) {
  EXPECT_FALSE(DecodeRowKey("").ok());
  EXPECT_FALSE(DecodeRowKey(std::string(17, 'x')).ok());
  EXPECT_FALSE(DecodeRowKey(std::string(19, 'x')).ok());
  std::string key = EncodeRowKey(TableId(1), Key(2));
  key[17] ^= 1;
  EXPECT_THAT(std::string(DecodeRowKey(key).status().message()), HasSubstr("belongs to slot"));
}

TEST(RowCodec, RefusesValuesOfEveryOtherSizeAndLeavesTheRow) {
  Row row = SampleRow();
  const DiskEntry entry = EncodeRow(TableId(1), kLayout, row.bytes());
  for (size_t bytes = 0; bytes < entry.value.size() + 9; ++bytes) {
    if (bytes == entry.value.size()) continue;
    std::string value = entry.value;
    value.resize(bytes);
    Row to;
    const absl::Status status = DecodeRow(value, kLayout, to.bytes());
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << bytes;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(bytes)));
    EXPECT_EQ(RowLayout::Header(to.bytes()).lsn, Lsn(0));
  }
}

TEST(RowCodec, RefusesOtherFormats) {
  Row row = SampleRow();
  std::string value = EncodeRow(TableId(1), kLayout, row.bytes()).value;
  value[0] = 2;
  EXPECT_EQ(DecodeRow(value, kLayout, row.bytes()).code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(RowGeneration(value).status().code(), absl::StatusCode::kUnimplemented);
  value[0] = 0;
  EXPECT_EQ(RowGeneration(value).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace rowhouse
