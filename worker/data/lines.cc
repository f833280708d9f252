#include "worker/data/lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/text.h"

namespace rowhouse {
namespace {

std::string Shown(std::string_view line) {
  constexpr size_t kShownBytesMax = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string shown;
  for (const char c : line.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\t') {
      shown += "\\t";
    } else if (byte < 0x20 || byte >= 0x7f) {
      shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      shown += c;
    }
  }
  return line.size() > kShownBytesMax ? shown + "..." : shown;
}

}  // namespace

Lines::Lines(std::string_view text, std::string_view file) : rest_(text), file_(file) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
}

bool Lines::Next(std::string_view* line) {
  if (rest_.empty()) return false;
  line_ = TakeField(&rest_, "\n");
  if (line_.ends_with('\r')) line_.remove_suffix(1);
  ++number_;
  *line = line_;
  return true;
}

absl::Status Lines::Error(std::string_view what) const {
  return absl::InvalidArgumentError(
      StrCat(file_, ":", number_, ": ", what, ": '", Shown(line_), "'"));
}

std::string_view TakeField(std::string_view* rest, std::string_view separator) {
  const size_t end = rest->find(separator);
  const std::string_view field = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + separator.size());
  return field;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::string text;
  std::ifstream file(path, std::ios::binary);
  char piece[1 << 16];
  while (file.read(piece, sizeof(piece)) || file.gcount() > 0) text.append(piece, file.gcount());
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError(StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return text;
}

}  // namespace rowhouse
