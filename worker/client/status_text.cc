#include "worker/client/status_text.h"

#include <string>

#include "common/refusal.h"

namespace rowhouse {

absl::Status At(std::string_view where, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string text = StrCat(where, ": ", status.message());
  const RefusalReason reason = ReasonOf(status);
  return reason == RefusalReason::kNone ? absl::Status(status.code(), text)
                                        : RefuseWith(reason, text);
}

}  // namespace rowhouse
