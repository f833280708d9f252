// Titles of items in the formats of MovieLens: u.item, movies.dat, movies.csv, told from the first
// line. The result is UTF-8: files that are not are taken as Latin-1, as the old ones are.
//
// Threading: pure functions.
// Errors: a malformed line is refused with file, line number and the text of the line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"

namespace rowhouse {

struct ItemTitle {
  Key item;
  std::string title;

  bool operator==(const ItemTitle&) const = default;
};

// In the order of the file.
absl::StatusOr<std::vector<ItemTitle>> ParseTitles(std::string_view text, std::string_view file);
absl::StatusOr<std::vector<ItemTitle>> ReadTitles(const std::string& path);

bool IsUtf8(std::string_view text);
std::string Utf8FromLatin1(std::string_view text);

}  // namespace rowhouse
