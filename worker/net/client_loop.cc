#include "worker/client/client_loop.h"

#include <glog/logging.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/refusal.h"
#include "worker/net/cluster_connector.h"
#include "worker/net/locked_executor.h"
#include "worker/net/shard_link.h"

namespace rowhouse {
namespace {

// To send as much takes about as long as to wake the loop, 10 to 20 us on virtual machines.
constexpr size_t kSmallCallBytes = 64 << 10;

size_t BytesOf(const Call& call) {
  size_t bytes = 0;
  for (const Request& request : call.requests) {
    bytes += request.head.size();
    for (const auto piece : request.pieces) bytes += piece.size();
  }
  return bytes;
}

absl::Status FailureOf(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return absl::InternalError(StrCat("the client's event loop failed: ", e.what()));
  } catch (...) {
    return absl::InternalError("the client's event loop failed");
  }
}

class AsioClientLoop : public ClientLoop {
 public:
  explicit AsioClientLoop(const ClientOptions& options)
      : options_(options),
        work_(asio::make_work_guard(io_)),
        executor_(LockedExecutor(io_.get_executor(), &mutex_)),
        deadline_timer_(executor_),
        lease_timer_(executor_) {
    identity_.client = options.client;
    events_.fatal = [this](const absl::Status& status) { Fail(status); };
    events_.mark = [this](Mark mark) { RaiseMark(mark); };
    thread_ = std::thread([this] { io_.run(); });
  }

  ~AsioClientLoop() override {
    asio::post(executor_, [this] {
      Fail(absl::CancelledError("the client was closed before the answer came"));
      work_.reset();
    });
    thread_.join();
  }

  absl::Status ConnectAll() {
    // Shared: set_value may still be at work when the caller has gone on.
    auto connected = std::make_shared<std::promise<absl::Status>>();
    std::future<absl::Status> future = connected->get_future();
    ClusterConnector connector(executor_, options_, events_);
    asio::co_spawn(executor_, connector.Connect(&cluster_, &identity_, &links_),
                   [this, connected](std::exception_ptr error, absl::Status status) {
                     if (error != nullptr) status = FailureOf(error);
                     if (status.ok()) StartLinks();
                     connected_mark_ = identity_.mark;
                     connected->set_value(std::move(status));
                   });
    return future.get();
  }

  const ClusterView& cluster() const override { return cluster_; }
  Incarnation incarnation() const override { return identity_.incarnation; }
  Mark registered_mark() const override { return identity_.registered_mark; }
  Mark connected_mark() const override { return connected_mark_; }
  Step last_step() const override { return identity_.last_step; }

  void Watch(LoopWatcher watcher) override {
    asio::post(executor_, [this, watcher = std::move(watcher)]() mutable {
      watcher_ = std::move(watcher);
      watcher_.mark(identity_.mark);
      ArmLease();
    });
  }

  // A small call goes out in the calling thread unless the loop is busy: to wake the loop for it
  // costs more. Otherwise the loop is woken for the first call that lies there, and takes all: a
  // small call that lies behind others leaves with them.
  void Submit(std::shared_ptr<Call> call) override {
    const bool is_small = BytesOf(*call) <= kSmallCallBytes;
    bool first = false;
    {
      const std::lock_guard lock(submitted_mutex_);
      first = submitted_.empty();
      submitted_.push_back(std::move(call));
    }
    if (!first || (is_small && TryBeginHere())) return;
    asio::post(executor_, [this] { BeginSubmitted(); });
  }

 private:
  // Not in the loop's own thread: what runs there may be in the midst of a link's state. Out of
  // memory ends the program here as it would there: calls must not be begun in part.
  bool TryBeginHere() noexcept {
    if (io_.get_executor().running_in_this_thread()) return false;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    BeginSubmitted();
    return true;
  }

  void StartLinks() {
    for (const auto& link : links_) {
      asio::co_spawn(executor_, link->Run(), [this](std::exception_ptr error) {
        if (error != nullptr) Fail(FailureOf(error));
      });
    }
  }

  void BeginSubmitted() {
    {
      const std::lock_guard lock(submitted_mutex_);
      beginning_.swap(submitted_);
    }
    for (std::shared_ptr<Call>& call : beginning_) Begin(std::move(call));
    beginning_.clear();
    for (const auto& link : links_) link->Flush();
  }

  void Begin(std::shared_ptr<Call> call) {
    call->ended = [this](const Call& ended) { Finish(ended); };
    calls_.push_back(call);
    if (!broken_.ok()) return End(*call, broken_);
    for (Request& request : call->requests) {
      links_[request.shard.value()]->Enqueue(call, &request);
    }
    if (!deadline_armed_) ArmDeadline();
  }

  // Its `done` comes once the event is over that ends it.
  void Finish(const Call& call) {
    const auto found = std::lower_bound(calls_.begin(), calls_.end(), call.requests.front().id,
                                        [](const std::shared_ptr<Call>& open, uint64_t id) {
                                          return open->requests.front().id < id;
                                        });
    CHECK(found != calls_.end() && found->get() == &call);
    if (finished_.empty()) asio::post(io_, [this] { TellFinished(); });
    finished_.push_back(std::move(*found));
    calls_.erase(found);
  }

  // Without mutex_: what is told may go on to submit calls, or wait for another thread that does.
  void TellFinished() {
    {
      const std::lock_guard lock(mutex_);
      telling_.swap(finished_);
    }
    while (!telling_.empty()) {
      telling_.back()->done(telling_.back()->error);
      telling_.pop_back();
    }
  }

  void ArmLease() {
    if (!broken_.ok() || options_.read_only) return;
    lease_timer_.expires_after(std::chrono::milliseconds(options_.lease_ms));
    lease_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || !broken_.ok()) return;
      watcher_.lease();
      ArmLease();
    });
  }

  // Nothing of the call may be in a link any more.
  static void End(Call& call, const absl::Status& status) {
    for (Request& request : call.requests) FinishRequest(&call, &request, status);
  }

  void ArmDeadline() {
    deadline_armed_ = !calls_.empty();
    if (!deadline_armed_) return;
    deadline_timer_.expires_at(calls_.front()->deadline);
    deadline_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) ExpireCalls();
    });
  }

  void ExpireCalls() {
    const auto now = std::chrono::steady_clock::now();
    while (!calls_.empty() && calls_.front()->deadline <= now) {
      const std::shared_ptr<Call> call = calls_.front();
      const absl::Status status = DeadlineOf(*call);
      for (const auto& link : links_) link->Drop(*call);
      End(*call, status);
    }
    ArmDeadline();
  }

  absl::Status DeadlineOf(const Call& call) const {
    for (const Request& request : call.requests) {
      if (request.state == RequestState::kDone) continue;
      const ShardLink& link = *links_[request.shard.value()];
      return Refuse(RefusalReason::kDeadline, call.what, ": no answer from ", link.where(),
                    " within ", options_.request_timeout_ms,
                    " ms; last reason: ", link.last_reason());
    }
    return absl::InternalError("no request is open");
  }

  // For good: every open call ends with `status`, and every later one.
  void Fail(const absl::Status& status) {
    if (!broken_.ok()) return;
    broken_ = status;
    deadline_timer_.cancel();
    lease_timer_.cancel();
    for (const auto& link : links_) link->Stop();
    while (!calls_.empty()) {
      const std::shared_ptr<Call> call = calls_.front();
      for (const auto& link : links_) link->Drop(*call);
      End(*call, status);
    }
  }

  void RaiseMark(Mark mark) {
    if (mark <= identity_.mark) return;
    identity_.mark = mark;
    if (watcher_.mark) watcher_.mark(mark);
  }

  const ClientOptions options_;

  std::mutex submitted_mutex_;
  std::vector<std::shared_ptr<Call>> submitted_;  // not begun yet

  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  // Held by all that executor_ runs, and by a thread that begins its calls itself. Waited for by
  // the loop's thread alone.
  std::recursive_mutex mutex_;
  const asio::any_io_executor executor_;

  // The rest, unless it says otherwise, belongs to who holds mutex_; cluster_, connected_mark_, and
  // identity_ but its mark, are constant once connected.
  asio::steady_timer deadline_timer_;
  asio::steady_timer lease_timer_;
  ClusterView cluster_;
  LinkIdentity identity_;
  Mark connected_mark_;
  LinkEvents events_;
  LoopWatcher watcher_;
  std::vector<std::unique_ptr<ShardLink>> links_;
  // Open calls, as their requests' ids rise; few. There is one timeout, so the first has the first
  // deadline.
  std::vector<std::shared_ptr<Call>> calls_;
  std::vector<std::shared_ptr<Call>> beginning_;  // the memory of submitted_, in turns
  std::vector<std::shared_ptr<Call>> finished_;   // to be told
  std::vector<std::shared_ptr<Call>> telling_;    // the memory of finished_; the loop's thread
  bool deadline_armed_ = false;
  absl::Status broken_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ClientLoop>> ClientLoop::Connect(const ClientOptions& options) {
  auto loop = std::make_unique<AsioClientLoop>(options);
  absl::Status connected = loop->ConnectAll();
  if (!connected.ok()) return connected;
  return std::unique_ptr<ClientLoop>(std::move(loop));
}

}  // namespace rowhouse
