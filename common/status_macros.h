// Early return on a failed absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ROWHOUSE_CONCAT_INNER(a, b) a##b
#define ROWHOUSE_CONCAT(a, b) ROWHOUSE_CONCAT_INNER(a, b)

// The name is one that no expression holds: a variable initialized from itself would be undefined.
#define RETURN_IF_ERROR(expression)                                                 \
  do {                                                                              \
    if (absl::Status rowhouse_returned_ = (expression); !rowhouse_returned_.ok()) { \
      return rowhouse_returned_;                                                    \
    }                                                                               \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(ROWHOUSE_CONCAT(result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  declaration = std::move(result).value()
