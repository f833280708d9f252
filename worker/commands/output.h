// Standard output, a line at a time: whoever reads it through a pipe sees each line at once.
#pragma once

#include <string_view>

namespace rowhouse {

// Adds the line end.
void PrintLine(std::string_view line);

}  // namespace rowhouse
