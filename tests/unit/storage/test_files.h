// Whole files as strings, to look at and to damage.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/support/temp_dir.h"

namespace rowhouse {

inline std::string PathIn(const TempDir& dir, std::string_view name) {
  return dir.path() + "/" + std::string(name);
}

inline void WriteTextFile(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline std::string ReadTextFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace rowhouse
