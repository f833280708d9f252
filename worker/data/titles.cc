#include "worker/data/titles.h"

#include "common/status_macros.h"
#include "common/text.h"
#include "worker/data/lines.h"

namespace rowhouse {
namespace {

constexpr std::string_view kCsvHeader = "movieId,title,genres";

// A field of comma separated values: quoted, with quotes doubled, or plain. False: no closing quote
// or no comma behind it.
bool TakeCsvField(std::string_view* rest, std::string* field) {
  if (!rest->starts_with('"')) {
    *field = TakeField(rest, ",");
    return true;
  }
  rest->remove_prefix(1);
  field->clear();
  for (;;) {
    const size_t quote = rest->find('"');
    if (quote == std::string_view::npos) return false;
    *field += rest->substr(0, quote);
    rest->remove_prefix(quote + 1);
    if (!rest->starts_with('"')) break;
    *field += '"';
    rest->remove_prefix(1);
  }
  if (!rest->starts_with(',')) return rest->empty();
  rest->remove_prefix(1);
  return true;
}

// nullptr where the line holds an id and a title, else what is wrong with it.
const char* ParseItem(std::string_view line, std::string_view separator, ItemTitle* item) {
  uint64_t id;
  if (!ParseNumber(TakeField(&line, separator), &id)) return "the item id is not a number";
  item->item = Key(id);
  if (separator == "," && !TakeCsvField(&line, &item->title)) return "the quotes do not match";
  if (separator != ",") item->title = TakeField(&line, separator);
  return item->title.empty() ? "there is no title" : nullptr;
}

std::string_view SeparatorOf(std::string_view first_line) {
  if (first_line == kCsvHeader) return ",";
  if (first_line.find('|') < first_line.find("::")) return "|";
  return first_line.find("::") != std::string_view::npos ? "::" : "";
}

// Bytes of the UTF-8 sequence at the front of `text`; 0 where there is none.
size_t SequenceBytes(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {  // neither overlong nor a surrogate
    const bool second = continues(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
    return second && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {  // neither overlong nor beyond U+10FFFF
    const bool second = continues(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = SequenceBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string Utf8FromLatin1(std::string_view text) {
  std::string utf8;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xc0 | (byte >> 6));
      utf8 += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return utf8;
}

absl::StatusOr<std::vector<ItemTitle>> ParseTitles(std::string_view text, std::string_view file) {
  std::string converted;
  if (!IsUtf8(text)) text = converted = Utf8FromLatin1(text);
  Lines lines(text, file);
  std::string_view line;
  std::string_view separator;
  std::vector<ItemTitle> titles;
  while (lines.Next(&line)) {
    if (lines.number() == 1) {
      separator = SeparatorOf(line);
      if (separator.empty()) {
        return lines.Error("not an item in one of the formats u.item, movies.dat, movies.csv");
      }
      if (separator == ",") continue;  // the header
    }
    const char* problem = ParseItem(line, separator, &titles.emplace_back());
    if (problem != nullptr) return lines.Error(problem);
  }
  if (titles.empty()) return absl::InvalidArgumentError(StrCat(file, ": no items in this file"));
  return titles;
}

absl::StatusOr<std::vector<ItemTitle>> ReadTitles(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseTitles(text, path);
}

}  // namespace rowhouse
