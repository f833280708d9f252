// The client's event loop: one thread, one connection to each shard.
//
// Threading: Submit from any thread; `done` of a call runs on the loop's thread.
// Errors: of Connect: as Client::Connect. Calls end with refusals of the server, kDeadline, or what
//   broke the client for good (fenced, another timeline); the destructor ends open ones as
//   cancelled.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "worker/client.h"
#include "worker/client/cluster_view.h"
#include "worker/client/request.h"

namespace rowhouse {

class ClientLoop {
 public:
  // Blocks, up to connect_timeout_ms. REQUIRES: options checked; options.client is not 0.
  static absl::StatusOr<std::unique_ptr<ClientLoop>> Connect(const ClientOptions& options);
  virtual ~ClientLoop() = default;

  virtual const ClusterView& cluster() const = 0;
  virtual Incarnation incarnation() const = 0;
  // The highest checkpoint mark that any shard has told.
  virtual Mark mark() const = 0;

  // Requests go to their shards in the order of Submit calls; the call's done is called once.
  // REQUIRES: every request is sealed, ids rise from call to call; `unanswered` and `deadline` set.
  virtual void Submit(std::shared_ptr<Call> call) = 0;
};

}  // namespace rowhouse
