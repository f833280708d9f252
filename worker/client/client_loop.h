// The client's event loop: one thread, one connection to each shard.
//
// Threading: Submit from any thread; a small call is sent by that thread where the loop is at rest.
//   `done` of a call runs on the loop's thread. Calls that end in one event, all that one read has
//   answered, are done from the last that ended to the first, mostly the oldest: who waits for it
//   is woken once, and finds the others done.
// Errors: of Connect: as Client::Connect. Calls end with refusals of the server, kDeadline, or what
//   broke the client for good (fenced, another timeline); the destructor ends open ones as
//   cancelled.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "worker/client.h"
#include "worker/client/cluster_view.h"
#include "worker/client/request.h"

namespace rowhouse {

// What the loop tells its client, on the loop's thread. Neither may block.
struct LoopWatcher {
  std::function<void(Mark)> mark;  // a shard told a mark that is higher than all before
  std::function<void()> lease;     // every lease_ms
};

class ClientLoop {
 public:
  // Blocks, up to connect_timeout_ms. REQUIRES: options checked; options.client is not 0.
  static absl::StatusOr<std::unique_ptr<ClientLoop>> Connect(const ClientOptions& options);
  virtual ~ClientLoop() = default;

  virtual const ClusterView& cluster() const = 0;
  virtual Incarnation incarnation() const = 0;
  // The lowest checkpoint mark under which a shard has registered the client.
  virtual Mark registered_mark() const = 0;
  // The highest mark that any shard had told when all had registered it.
  virtual Mark connected_mark() const = 0;
  // The highest step of the client's id that any shard knew when it connected.
  virtual Step last_step() const = 0;

  // From here on until the loop is broken or destroyed; begins with the highest mark so far. Once.
  virtual void Watch(LoopWatcher watcher) = 0;

  // Requests go to their shards in the order of Submit calls; the call's done is called once.
  // REQUIRES: every request is sealed, ids rise from call to call; `unanswered` and `deadline` set.
  virtual void Submit(std::shared_ptr<Call> call) = 0;
};

}  // namespace rowhouse
