// One life of a simulated client: what worker/net's loop and links do, on simulated connections.
//
// Planning, numbering, queueing and backing off are the client library's own (worker/client/);
// written anew here is only what moves bytes and waits. Keeps what a client knows of its pushes and
// pulls for the checks.
//
// Threading: one thread.
// Ownership: lives until the run ends, also when it is dead.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/slot_map.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"
#include "worker/client.h"
#include "worker/client/backoff.h"
#include "worker/client/cluster_view.h"
#include "worker/client/mark_book.h"
#include "worker/client/push_plan.h"
#include "worker/client/push_window.h"
#include "worker/client/request.h"
#include "worker/client/request_queue.h"

namespace rowhouse {

// What all lives of all clients learned of one shard.
struct Witness {
  std::vector<Ack> acks;
  std::vector<PulledRow> pulled;
};

class ClientProcess final : public ClientEnd {
 public:
  struct Events {
    std::function<void(const PushIdentity&)> given_up;  // a push whose outcome is unknown
    std::function<bool()> take_call;                    // whether there is another call to be made
    std::function<void()> idle;                         // every call is made and answered
    std::function<void()> broken;                       // fenced, or refused for good
  };
  // witnesses: [shards]
  ClientProcess(World* world, Network* network, ClientId client, Step* step,
                std::vector<Witness>* witnesses, Events events);

  void Start();
  // Nothing happens to it any more.
  void Die();
  bool serving() const { return !dead_ && phase_ == Phase::kServing; }
  void CheckOrders() const;

  // ClientEnd
  void OnConnected(SessionId session, bool accepted) override;
  void OnAnswer(SessionId session, const ReceivedFrame& frame, size_t life) override;
  void OnLost(SessionId session) override;

 private:
  enum class Phase { kQuerying, kOpening, kServing };
  enum class LinkState { kDown, kWaiting, kConnecting, kAsking, kReady };
  struct Link {
    ShardId shard;
    RequestQueue queue;
    Backoff backoff;
    std::optional<Mark> opened_mark;  // the first under which the shard opened the client
    Mark asked_mark;                  // of the open that is under way
    bool query = false;               // the control request under way is a query
    bool renewing = false;
    LinkState state = LinkState::kDown;
    SessionId session;
    uint64_t attempt = 0;
    std::vector<Answered> answered;  // for the check of their order
  };
  struct OpenCall;

  Link* LinkOf(SessionId session);
  void Later(uint64_t delay_us, EventQueue::Event event);

  // Making and losing connections.
  void Begin(Link* link);
  void AskControl(Link* link);
  void AskQuery(Link* link);
  void AskOpen(Link* link);
  void TakeControl(Link* link, const ReceivedFrame& frame);
  absl::Status TakeControlAnswer(Link* link, const ReceivedFrame& frame);
  void NextShard();
  void TryAgain(Link* link);
  void Drop(Link* link);
  void Break(const absl::Status& status);

  // Requests and answers.
  void Flush(Link* link);
  absl::Status TakeFrame(Link* link, const ReceivedFrame& frame);
  absl::Status TakeRefusal(Link* link, Request* request, const ReceivedFrame& frame);
  void Submit(std::shared_ptr<OpenCall> call, bool is_push);
  void Expire(const std::shared_ptr<OpenCall>& call);

  // Marks.
  void Learn(Mark mark);
  void CloseMarks();
  void Renew();
  void Leave();
  template <typename Message>
  std::shared_ptr<OpenCall> CallToAll(Op op, const Message& message);

  // The work.
  void CreateTable(const TableSpec& spec);
  void Work();
  void MakeCall();
  void MakePull();
  void MakePush();
  std::shared_ptr<OpenCall> DrawCall(std::string what);
  std::vector<Key> DrawKeys();
  void WatchPush(OpenCall* call, Request* request, const PushIdentity& identity);
  void WatchPull(const std::shared_ptr<OpenCall>& call, Request* request);
  Durability DurabilityOn(const OpenCall& call, ShardId shard) const;

  World* const world_;
  Network* const network_;
  const ClientId client_;
  Step* const step_;
  std::vector<Witness>* const witnesses_;
  const Events events_;
  const ClusterView cluster_;
  const SlotMap slots_;
  const bool leaves_;  // in order, when the work is done

  bool dead_ = false;
  Phase phase_ = Phase::kQuerying;
  size_t shard_ = 0;  // while querying and opening: the one whose turn it is
  Incarnation incarnation_;
  std::vector<Link> links_;
  std::map<SessionId, size_t> link_of_;
  PushWindow window_;
  Mark known_mark_ = kFirstMark;   // the highest that any shard has told
  std::optional<MarkBook> marks_;  // from kServing on
  bool leaving_ = false;
  uint64_t last_request_id_ = 0;
  uint32_t open_calls_ = 0;
  size_t tables_made_ = 0;
  bool pausing_ = false;
  size_t answer_life_ = 0;  // of the answer that is being taken
};

}  // namespace rowhouse
