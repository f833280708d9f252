// Lines of a text, numbered, and the messages about malformed ones.
//
// Threading: plain values.
// Ownership: lines point into the text, which belongs to the caller.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

class Lines {
 public:
  // `file` names the text in messages. A byte order mark is skipped.
  Lines(std::string_view text, std::string_view file);

  // The next line without its end (LF or CRLF); false at the end.
  bool Next(std::string_view* line);

  // "u.data:17: <what>: '196\t242'", about the line that Next gave last; long lines are cut and
  // bytes that are not printable escaped.
  absl::Status Error(std::string_view what) const;

  uint64_t number() const { return number_; }  // of that line, from 1

 private:
  std::string_view rest_;
  std::string_view file_;
  std::string_view line_;
  uint64_t number_ = 0;
};

// Takes the text up to `separator` off the front of `rest`; all of it where there is none.
std::string_view TakeField(std::string_view* rest, std::string_view separator);

// The whole of `text` is a number.
template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end;
}

// Errors: names the file and the reason.
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace rowhouse
