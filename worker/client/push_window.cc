#include "worker/client/push_window.h"

namespace rowhouse {

Sequence PushWindow::Begin() {
  const Sequence sequence = next_;
  next_ = Sequence(next_.value() + 1);
  out_.insert(out_.end(), sequence);
  return sequence;
}

void PushWindow::Finish(Sequence sequence) { out_.erase(sequence); }

Sequence PushWindow::unretried_below() const { return out_.empty() ? next_ : *out_.begin(); }

}  // namespace rowhouse
