// What is wrong with a call can be seen before anything is sent: shapes, tables named twice,
// options.
//
// Threading: free functions, no state.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/client.h"

namespace rowhouse {

// A lease so long that a checkpoint would wait for its end for more than minutes makes no sense.
inline constexpr uint32_t kLeaseMsMin = 10;
inline constexpr uint32_t kLeaseMsMax = 600'000;

// How a table is called in messages: "table 'user'".
using TableNamer = std::function<std::string(TableId)>;

// Errors: kWrongDim, kTooManyKeys; invalid argument where an array's size does not fit its keys or
//   a table occurs twice. Messages name the table.
absl::Status CheckParts(std::span<const PullPart> parts, const TableNamer& name);
absl::Status CheckParts(std::span<const PushPart> parts, const TableNamer& name);

// Whether every gradient is finite and within bounds. A shard refuses its part of a push that has
// one that is not: so that the others do not apply theirs, it is seen here. Errors: kBadGradient,
// naming table and key. Cost: one pass over the gradients.
absl::Status CheckGradients(std::span<const PushPart> parts, const TableNamer& name);

// Errors: invalid argument, naming the option, its value and its bounds.
absl::Status CheckOptions(const ClientOptions& options);

}  // namespace rowhouse
