#include "common/wire/data.h"

#include <cstring>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/table_spec.h"

namespace rowhouse {
namespace {

struct Totals {
  uint64_t rows = 0;
  uint64_t floats = 0;
};

// Takes fixed-size records off the front of a body; nothing here trusts a count before it is
// checked.
class BodyReader {
 public:
  BodyReader(const char* what, std::span<const std::byte> body) : what_(what), rest_(body) {}

  template <typename T>
  absl::Status Take(T* value) {
    if (rest_.size() < sizeof(T)) return TooShort();
    std::memcpy(static_cast<void*>(value), rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status TakeArray(uint64_t count, std::span<const T>* out) {
    if (count > rest_.size() / sizeof(T)) return TooShort();
    *out = {reinterpret_cast<const T*>(rest_.data()), static_cast<size_t>(count)};
    rest_ = rest_.subspan(count * sizeof(T));
    return absl::OkStatus();
  }

  absl::Status ExpectEnd() const {
    if (rest_.empty()) return absl::OkStatus();
    return Refuse(RefusalReason::kMalformed, what_, ": ", rest_.size(), " bytes too many");
  }

 private:
  absl::Status TooShort() const {
    return Refuse(RefusalReason::kMalformed, what_, ": the body is shorter than its counts say");
  }

  const char* what_;
  std::span<const std::byte> rest_;
};

absl::Status CheckSections(const char* what, std::span<const SectionHeader> sections,
                           uint64_t keys_max, Totals* totals) {
  for (size_t i = 0; i < sections.size(); ++i) {
    const SectionHeader& section = sections[i];
    if (section.dim < 1 || section.dim > kDimMax) {
      return Refuse(RefusalReason::kWrongDim, what, ": dim is ", section.dim, "; it must be 1 to ",
                    kDimMax);
    }
    if (section.element_type != 0) {
      return Refuse(RefusalReason::kMalformed, what, ": element type ", section.element_type,
                    " is not known here; 0 is float32");
    }
    for (size_t j = 0; j < i; ++j) {
      if (sections[j].table == section.table) {
        return Refuse(RefusalReason::kMalformed, what, ": sections ", j, " and ", i,
                      " are of one table");
      }
    }
    totals->rows += section.row_count;
    totals->floats += uint64_t{section.row_count} * section.dim;
  }
  if (totals->rows > keys_max) {
    return Refuse(RefusalReason::kTooManyKeys, what, ": ", totals->rows,
                  " keys; keys_per_request_max is ", keys_max, ": send smaller batches");
  }
  return absl::OkStatus();
}

absl::Status TakeSections(const char* what, uint32_t section_count, uint64_t keys_max,
                          BodyReader* reader, std::span<const SectionHeader>* sections,
                          Totals* totals) {
  if (section_count > kSectionCountMax) {
    return Refuse(RefusalReason::kTooManyTables, what, ": ", section_count,
                  " tables; a request may name ", kSectionCountMax);
  }
  RETURN_IF_ERROR(reader->TakeArray(section_count, sections));
  return CheckSections(what, *sections, keys_max, totals);
}

absl::Status CheckAligned(const char* what, std::span<const std::byte> body) {
  if (reinterpret_cast<uintptr_t>(body.data()) % 8 == 0) return absl::OkStatus();
  return Refuse(RefusalReason::kMalformed, what, ": the body is not 8-byte aligned");
}

}  // namespace

absl::StatusOr<PullView> PullView::Parse(std::span<const std::byte> body, uint64_t keys_max) {
  RETURN_IF_ERROR(CheckAligned("pull", body));
  PullView view;
  BodyReader reader("pull", body);
  Totals totals;
  RETURN_IF_ERROR(reader.Take(&view.header_));
  if (view.header_.flags != 0) {
    return Refuse(RefusalReason::kMalformed, "pull: flags ", view.header_.flags,
                  " are not known here");
  }
  RETURN_IF_ERROR(TakeSections("pull", view.header_.section_count, keys_max, &reader,
                               &view.sections_, &totals));
  RETURN_IF_ERROR(reader.TakeArray(totals.rows, &view.keys_));
  RETURN_IF_ERROR(reader.ExpectEnd());
  view.row_count_ = totals.rows;
  view.float_count_ = totals.floats;
  return view;
}

PullSection PullView::section(uint32_t i) const {
  size_t first = 0;
  for (uint32_t j = 0; j < i; ++j) first += sections_[j].row_count;
  return {sections_[i], keys_.subspan(first, sections_[i].row_count)};
}

absl::StatusOr<PushView> PushView::Parse(std::span<const std::byte> body, uint64_t keys_max) {
  RETURN_IF_ERROR(CheckAligned("push", body));
  PushView view;
  BodyReader reader("push", body);
  Totals totals;
  RETURN_IF_ERROR(reader.Take(&view.header_));
  RETURN_IF_ERROR(TakeSections("push", view.header_.section_count, keys_max, &reader,
                               &view.sections_, &totals));
  RETURN_IF_ERROR(reader.TakeArray(totals.rows, &view.keys_));
  RETURN_IF_ERROR(reader.TakeArray(totals.floats, &view.gradients_));
  RETURN_IF_ERROR(reader.ExpectEnd());
  view.row_count_ = totals.rows;
  return view;
}

PushSection PushView::section(uint32_t i) const {
  size_t first_key = 0;
  size_t first_float = 0;
  for (uint32_t j = 0; j < i; ++j) {
    first_key += sections_[j].row_count;
    first_float += size_t{sections_[j].row_count} * sections_[j].dim;
  }
  const SectionHeader& header = sections_[i];
  return {header, keys_.subspan(first_key, header.row_count),
          gradients_.subspan(first_float, size_t{header.row_count} * header.dim)};
}

}  // namespace rowhouse
