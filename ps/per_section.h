// One value for each section of a request, in place: a request has at most kSectionCountMax.
//
// Threading: a plain value; a std::span can be made of it.
#pragma once

#include <glog/logging.h>

#include <array>
#include <cstddef>

#include "common/wire/data.h"

namespace rowhouse {

template <typename T>
class PerSection {
 public:
  void push_back(const T& value) {
    CHECK_LT(size_, values_.size());
    values_[size_++] = value;
  }
  size_t size() const { return size_; }
  const T* data() const { return values_.data(); }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + size_; }
  const T& operator[](size_t i) const { return values_[i]; }

 private:
  std::array<T, kSectionCountMax> values_;  // of which the first `size_`
  size_t size_ = 0;
};

}  // namespace rowhouse
