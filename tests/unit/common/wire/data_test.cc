#include "common/wire/data.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "common/refusal.h"
#include "common/table_spec.h"

namespace rowhouse {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// A body in memory of exactly its size, 8-byte aligned: reads beyond it are seen by a sanitizer.
class Body {
 public:
  explicit Body(std::span<const std::byte> bytes)
      : bytes_(std::make_unique<std::byte[]>(bytes.size())), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(bytes_.get(), bytes.data(), size_);
  }
  std::span<const std::byte> span() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  size_t size_;
};

using Bytes = std::vector<std::byte>;

template <typename T>
void Append(const T& value, Bytes* out) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out->insert(out->end(), bytes.begin(), bytes.end());
}

SectionHeader Section(uint64_t table, uint32_t dim, uint32_t row_count) {
  SectionHeader section;
  section.table = TableId(table);
  section.generation = Generation(1);
  section.dim = dim;
  section.row_count = row_count;
  return section;
}

Bytes PullBody(const std::vector<SectionHeader>& sections) {
  Bytes bytes;
  PullHeader header;
  header.epoch = Epoch(1);
  header.step = Step(5);
  header.section_count = static_cast<uint32_t>(sections.size());
  Append(header, &bytes);
  for (const SectionHeader& section : sections) Append(section, &bytes);
  uint64_t key = 100;
  for (const SectionHeader& section : sections) {
    for (uint32_t i = 0; i < section.row_count; ++i) Append(key++, &bytes);
  }
  return bytes;
}

Bytes PushBody(const std::vector<SectionHeader>& sections) {
  Bytes bytes;
  PushHeader header;
  header.client = ClientId(1);
  header.sequence = Sequence(2);
  header.section_count = static_cast<uint32_t>(sections.size());
  Append(header, &bytes);
  for (const SectionHeader& section : sections) Append(section, &bytes);
  uint64_t key = 100;
  for (const SectionHeader& section : sections) {
    for (uint32_t i = 0; i < section.row_count; ++i) Append(key++, &bytes);
  }
  float value = 0.5f;
  for (const SectionHeader& section : sections) {
    for (uint32_t i = 0; i < section.row_count * section.dim; ++i) Append(value++, &bytes);
  }
  return bytes;
}

const std::vector<SectionHeader> kTwoSections = {Section(11, 3, 2), Section(22, 1, 3)};

// Touches everything that a view points to, so that a sanitizer sees what lies outside.
double Touch(const PullView& view) {
  double sum = 0;
  for (uint32_t i = 0; i < view.section_count(); ++i) {
    for (const Key key : view.section(i).keys) sum += static_cast<double>(key.value());
  }
  return sum;
}

double Touch(const PushView& view) {
  double sum = 0;
  for (uint32_t i = 0; i < view.section_count(); ++i) {
    const PushSection section = view.section(i);
    for (const Key key : section.keys) sum += static_cast<double>(key.value());
    for (const float g : section.gradients) sum += g;
  }
  return sum;
}

template <typename View>
RefusalReason Reason(std::span<const std::byte> bytes, uint64_t keys_max = kNoLimit) {
  const Body body(bytes);
  const auto view = View::Parse(body.span(), keys_max);
  if (!view.ok()) return ReasonOf(view.status());
  volatile double sink = Touch(*view);
  (void)sink;
  return RefusalReason::kNone;
}

template <typename View>
void ExpectRefused(const std::vector<SectionHeader>& sections, RefusalReason reason) {
  if constexpr (std::is_same_v<View, PullView>) {
    EXPECT_EQ(Reason<View>(PullBody(sections)), reason);
  } else {
    EXPECT_EQ(Reason<View>(PushBody(sections)), reason);
  }
}

TEST(PullView, FindsEverySection) {
  const Body body(PullBody(kTwoSections));
  const auto view = PullView::Parse(body.span(), 5);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->header().step, Step(5));
  EXPECT_EQ(view->row_count(), 5u);
  EXPECT_EQ(view->float_count(), 9u);
  EXPECT_EQ(view->section(1).header.table, TableId(22));
  ASSERT_EQ(view->section(1).keys.size(), 3u);
  EXPECT_EQ(view->section(0).keys[1], Key(101));
  EXPECT_EQ(view->section(1).keys[2], Key(104));
}

TEST(PushView, FindsEverySection) {
  const Body body(PushBody(kTwoSections));
  const auto view = PushView::Parse(body.span(), 5);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->header().sequence, Sequence(2));
  EXPECT_EQ(view->row_count(), 5u);
  ASSERT_EQ(view->section(0).gradients.size(), 6u);
  ASSERT_EQ(view->section(1).gradients.size(), 3u);
  EXPECT_EQ(view->section(0).gradients[5], 5.5f);
  EXPECT_EQ(view->section(1).keys[0], Key(102));
  EXPECT_EQ(view->section(1).gradients[2], 8.5f);
}

TEST(PullView, RefusesEveryOtherLength) {
  Bytes bytes = PullBody(kTwoSections);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Reason<PullView>(std::span(bytes).first(size)), RefusalReason::kMalformed) << size;
  }
  bytes.push_back({});
  EXPECT_EQ(Reason<PullView>(bytes), RefusalReason::kMalformed);
}

TEST(PushView, RefusesEveryOtherLength) {
  Bytes bytes = PushBody(kTwoSections);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Reason<PushView>(std::span(bytes).first(size)), RefusalReason::kMalformed) << size;
  }
  bytes.push_back({});
  EXPECT_EQ(Reason<PushView>(bytes), RefusalReason::kMalformed);
}

constexpr uint8_t kValues[] = {0x00, 0x01, 0x02, 0x3f, 0x41, 0x7f, 0x80, 0xff};

template <typename View>
void MutateEveryByte(const Bytes& bytes) {
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const uint8_t value : kValues) {
      Bytes mutated = bytes;
      mutated[at] = std::byte{value};
      Reason<View>(mutated);
    }
  }
}

// What is checked here is that nothing outside the body is read: run with a sanitizer.
TEST(PullView, SurvivesEveryMutatedByte) { MutateEveryByte<PullView>(PullBody(kTwoSections)); }
TEST(PushView, SurvivesEveryMutatedByte) { MutateEveryByte<PushView>(PushBody(kTwoSections)); }

// Every 32-bit field of headers and sections, one and two at a time, at the edges.
template <typename View>
void MutateFields(const Bytes& bytes, size_t fields_bytes) {
  constexpr uint32_t kEdges[] = {0, 1, 64, 65, 8192, 0x10000000, 0x7fffffff, 0xffffffff};
  for (size_t a = 0; a < fields_bytes; a += 4) {
    for (size_t b = 0; b < fields_bytes; b += 4) {
      for (const uint32_t value : kEdges) {
        Bytes mutated = bytes;
        std::memcpy(mutated.data() + a, &value, 4);
        std::memcpy(mutated.data() + b, &value, 4);
        Reason<View>(mutated);
      }
    }
  }
}

TEST(PullView, SurvivesMutatedFields) {
  MutateFields<PullView>(PullBody(kTwoSections), sizeof(PullHeader) + 2 * sizeof(SectionHeader));
}
TEST(PushView, SurvivesMutatedFields) {
  MutateFields<PushView>(PushBody(kTwoSections), sizeof(PushHeader) + 2 * sizeof(SectionHeader));
}

TEST(PushView, CountsThatOverflowAreTooShortNotTooLong) {
  std::vector<SectionHeader> sections;
  for (uint64_t i = 0; i < kSectionCountMax; ++i) sections.push_back(Section(i, kDimMax, 0));
  Bytes bytes = PushBody(sections);
  for (uint64_t i = 0; i < kSectionCountMax; ++i) {
    const uint32_t row_count = 0xffffffff;
    std::memcpy(bytes.data() + sizeof(PushHeader) + i * sizeof(SectionHeader) +
                    offsetof(SectionHeader, row_count),
                &row_count, sizeof(row_count));
  }
  EXPECT_EQ(Reason<PushView>(bytes), RefusalReason::kMalformed);
  EXPECT_EQ(Reason<PushView>(bytes, 1 << 20), RefusalReason::kTooManyKeys);
}

template <typename View>
class RequestViewTest : public testing::Test {};
using Views = testing::Types<PullView, PushView>;
TYPED_TEST_SUITE(RequestViewTest, Views);

TYPED_TEST(RequestViewTest, TakesRequestsOfNothing) {
  ExpectRefused<TypeParam>({}, RefusalReason::kNone);
  ExpectRefused<TypeParam>({Section(1, 1, 0)}, RefusalReason::kNone);
}

TYPED_TEST(RequestViewTest, RefusesDimsOutOfBounds) {
  ExpectRefused<TypeParam>({Section(1, 0, 1)}, RefusalReason::kWrongDim);
  ExpectRefused<TypeParam>({Section(1, kDimMax, 1)}, RefusalReason::kNone);
  ExpectRefused<TypeParam>({Section(1, kDimMax + 1, 1)}, RefusalReason::kWrongDim);
}

TYPED_TEST(RequestViewTest, RefusesATableTwice) {
  ExpectRefused<TypeParam>({Section(1, 1, 1), Section(2, 1, 1), Section(1, 1, 1)},
                           RefusalReason::kMalformed);
}

TYPED_TEST(RequestViewTest, RefusesElementTypesThatItDoesNotKnow) {
  SectionHeader section = Section(1, 1, 1);
  section.element_type = 1;
  ExpectRefused<TypeParam>({section}, RefusalReason::kMalformed);
}

TYPED_TEST(RequestViewTest, RefusesTooManyTables) {
  std::vector<SectionHeader> sections;
  for (uint64_t i = 0; i < kSectionCountMax; ++i) sections.push_back(Section(i, 1, 1));
  ExpectRefused<TypeParam>(sections, RefusalReason::kNone);
  sections.push_back(Section(99, 1, 1));
  ExpectRefused<TypeParam>(sections, RefusalReason::kTooManyTables);
}

TYPED_TEST(RequestViewTest, RefusesMoreKeysThanAllowed) {
  Bytes bytes;
  if constexpr (std::is_same_v<TypeParam, PullView>) {
    bytes = PullBody(kTwoSections);
  } else {
    bytes = PushBody(kTwoSections);
  }
  EXPECT_EQ(Reason<TypeParam>(bytes, 5), RefusalReason::kNone);
  EXPECT_EQ(Reason<TypeParam>(bytes, 4), RefusalReason::kTooManyKeys);
}

TYPED_TEST(RequestViewTest, RefusesBodiesThatAreNotAligned) {
  alignas(8) std::byte buffer[128] = {};
  const auto view = TypeParam::Parse(std::span(buffer).subspan(4, 64), kNoLimit);
  EXPECT_EQ(ReasonOf(view.status()), RefusalReason::kMalformed);
}

TEST(PullView, RefusesFlagsThatItDoesNotKnow) {
  Bytes bytes = PullBody(kTwoSections);
  bytes[offsetof(PullHeader, flags)] = std::byte{1};
  EXPECT_EQ(Reason<PullView>(bytes), RefusalReason::kMalformed);
}

}  // namespace
}  // namespace rowhouse
