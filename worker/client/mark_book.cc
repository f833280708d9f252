#include "worker/client/mark_book.h"

#include <glog/logging.h>

#include <algorithm>

namespace rowhouse {

MarkBook::MarkBook(Mark registered, Mark known)
    : known_(std::max(registered, known)), closed_(registered), closing_(registered) {}

void MarkBook::Learn(Mark mark) { known_ = std::max(known_, mark); }

Mark MarkBook::BeginPush() {
  ++open_[known_];
  return known_;
}

void MarkBook::EndPush(Mark mark) {
  const auto found = open_.find(mark);
  CHECK(found != open_.end()) << "no push marked " << mark << " is open";
  if (--found->second == 0) open_.erase(found);
}

std::optional<Mark> MarkBook::TakeClosable() {
  const Mark mark = open_.empty() ? known_ : std::min(known_, open_.begin()->first);
  if (mark <= closing_) return std::nullopt;
  closing_ = mark;
  return mark;
}

void MarkBook::Closed(Mark mark) { closed_ = std::max(closed_, mark); }

void MarkBook::CloseFailed(Mark mark) {
  if (closing_ == mark) closing_ = closed_;
}

}  // namespace rowhouse
