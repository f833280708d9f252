// StrCat for std::string_view too: Debian builds Abseil with a string_view type of its own.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace rowhouse {

inline absl::string_view ForAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view ForAbsl(const std::string& text) { return text; }
inline absl::string_view ForAbsl(const char* text) { return text; }
template <typename T>
const T& ForAbsl(const T& value) {
  return value;
}

// Text and numbers, one after another.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  return absl::StrCat(ForAbsl(parts)...);
}

}  // namespace rowhouse
