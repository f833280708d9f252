// Whether a mapping has asked the system for huge pages.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace rowhouse {

// Where the kernel was built without huge pages nobody can ask for them.
inline bool SystemKnowsHugePages() {
  return std::filesystem::exists("/sys/kernel/mm/transparent_hugepage");
}

// "hg" among the VmFlags of the mapping in /proc/self/smaps that `address` is in.
inline bool AsksForHugePages(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  bool is_here = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      is_here = begin <= at && at < end;
    } else if (is_here && line.starts_with("VmFlags:")) {
      return (line + ' ').find(" hg ") != std::string::npos;
    }
  }
  return false;
}

}  // namespace rowhouse
