#include "tests/simulation/trace.h"

#include <array>
#include <span>

#include "common/wire/frame.h"

namespace rowhouse {

void Trace::Add(std::string line) {
  const std::array<std::span<const std::byte>, 2> pieces = {std::as_bytes(std::span(&digest_, 1)),
                                                            std::as_bytes(std::span(line))};
  digest_ = Checksum(std::span<const std::span<const std::byte>>(pieces));
  lines_.push_back(std::move(line));
  if (lines_.size() > lines_max_) lines_.pop_front();
}

}  // namespace rowhouse
