#include "tests/simulation/client_process.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/control.h"
#include "worker/client/pull_plan.h"
#include "worker/client/told_mark.h"

namespace rowhouse {
namespace {

constexpr size_t kPiecesPerWrite = 60;
constexpr uint32_t kBackoffMinMs = 2;
constexpr uint32_t kBackoffMaxMs = 60;
constexpr uint64_t kConnectTimeoutUs = 300'000;

// What the servers would answer to a hello.
ClusterView ViewOf(const Plan& plan) {
  std::vector<ServerAnswer> answers(1);
  HelloAnswer& answer = answers[0].answer;
  answer.version = kProtocolVersionMax;
  answer.timeline = Timeline(1);
  answer.epoch = Epoch(1);
  answer.slot_bits = kSlotBits;
  answer.shard_count = plan.shard_count;
  for (uint32_t i = 0; i < plan.shard_count; ++i) answer.shards.push_back(ShardId(i));
  answer.frame_bytes_max = plan.limits.frame_bytes_max;
  answer.keys_per_request_max = plan.limits.keys_per_request_max;
  absl::StatusOr<ClusterView> view = CombineAnswers(answers);
  CHECK(view.ok()) << view.status();
  return *std::move(view);
}

OutFrame FrameOf(const Request& request) {
  OutFrame frame;
  size_t bytes = request.head.size() + request.padding_bytes;
  for (const auto piece : request.pieces) bytes += piece.size();
  frame.size_bytes = bytes;
  frame.words = std::make_unique<uint64_t[]>(bytes / 8);
  auto* at = reinterpret_cast<std::byte*>(frame.words.get());
  at = std::copy(request.head.begin(), request.head.end(), at);
  for (const auto piece : request.pieces) at = std::copy(piece.begin(), piece.end(), at);
  return frame;
}

uint64_t BodyChecksum(const Request& request) {
  FrameHeader header;
  std::memcpy(&header, request.head.data(), sizeof(header));
  return header.body_checksum;
}

absl::Status RefusalIn(const ReceivedFrame& frame) {
  ASSIGN_OR_RETURN(const ErrorAnswer error, DecodeControl<ErrorAnswer>(frame.body));
  return RefuseWith(error.reason, error.message);
}

template <typename T>
T HeadOf(std::span<const std::byte> body) {
  T value;
  std::memcpy(static_cast<void*>(&value), body.data(), sizeof(T));
  return value;
}

}  // namespace

// A call together with the caller's arrays.
struct ClientProcess::OpenCall {
  Call call;
  std::vector<Table> tables;
  std::vector<TableSpec> specs;
  std::vector<std::vector<Key>> keys;
  std::vector<std::vector<float>> rows;
  std::function<void(const absl::Status&)> then;  // may be null
};

ClientProcess::ClientProcess(World* world, Network* network, ClientId client, Step* step,
                             std::vector<Witness>* witnesses, Events events)
    : world_(world),
      network_(network),
      client_(client),
      step_(step),
      witnesses_(witnesses),
      events_(std::move(events)),
      cluster_(ViewOf(world->plan)),
      slots_(cluster_.shard_count, cluster_.epoch),
      leaves_(world->OneIn(2)) {
  for (uint32_t i = 0; i < cluster_.shard_count; ++i) {
    links_.push_back({ShardId(i), {}, Backoff(kBackoffMinMs, kBackoffMaxMs, world->random.Next())});
  }
}

ClientProcess::Link* ClientProcess::LinkOf(SessionId session) {
  const auto found = link_of_.find(session);
  if (dead_ || found == link_of_.end()) return nullptr;
  Link* link = &links_[found->second];
  return link->session == session ? link : nullptr;
}

void ClientProcess::Later(uint64_t delay_us, EventQueue::Event event) {
  world_->events.After(delay_us, [this, event = std::move(event)] {
    if (!dead_) event();
  });
}

void ClientProcess::Start() { Begin(&links_[0]); }

void ClientProcess::Die() {
  if (std::exchange(dead_, true)) return;
  network_->Forget(this);
}

// A new connection, or the control request of the phase on the one that is there.
void ClientProcess::Begin(Link* link) {
  const uint64_t attempt = ++link->attempt;
  Later(kConnectTimeoutUs, [this, link, attempt] {
    if (link->attempt == attempt && link->state != LinkState::kReady) TryAgain(link);
  });
  if (link->state == LinkState::kReady) return AskControl(link);
  link->state = LinkState::kConnecting;
  link->session = network_->Connect(this, link->shard);
  link_of_[link->session] = static_cast<size_t>(link - links_.data());
}

void ClientProcess::OnConnected(SessionId session, bool accepted) {
  Link* link = LinkOf(session);
  if (link == nullptr || link->state != LinkState::kConnecting) return;
  if (!accepted) return TryAgain(link);
  AskControl(link);
}

void ClientProcess::AskControl(Link* link) {
  phase_ == Phase::kQuerying ? AskQuery(link) : AskOpen(link);
}

void ClientProcess::AskQuery(Link* link) {
  link->state = LinkState::kAsking;
  link->query = true;
  network_->SendToServer(link->session,
                         MakeControlFrame(Op::kQueryClient, 0, QueryClient{client_}));
}

void ClientProcess::AskOpen(Link* link) {
  link->state = LinkState::kAsking;
  link->query = false;
  link->asked_mark = known_mark_;
  const OpenClient open{client_, incarnation_, known_mark_};
  network_->SendToServer(link->session, MakeControlFrame(Op::kOpenClient, 0, open));
}

void ClientProcess::TakeControl(Link* link, const ReceivedFrame& frame) {
  const absl::Status status = TakeControlAnswer(link, frame);
  // The shard knows a higher mark: it is asked for, then the client opened under it.
  if (ReasonOf(status) == RefusalReason::kStaleMark) return AskQuery(link);
  if (!status.ok()) return IsRetryable(status) ? TryAgain(link) : Break(status);
  if (link->query && phase_ != Phase::kQuerying) return AskOpen(link);
  link->state = LinkState::kReady;
  if (phase_ == Phase::kServing) return Flush(link);
  NextShard();
}

absl::Status ClientProcess::TakeControlAnswer(Link* link, const ReceivedFrame& frame) {
  if (frame.op() == Op::kError) return RefusalIn(frame);
  if (link->query) {
    ASSIGN_OR_RETURN(const auto answer, DecodeControl<QueryClientAnswer>(frame.body));
    if (phase_ == Phase::kQuerying) incarnation_ = std::max(incarnation_, answer.incarnation);
    Learn(answer.mark);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto answer, DecodeControl<OpenClientAnswer>(frame.body));
  if (!link->opened_mark.has_value()) link->opened_mark = link->asked_mark;
  Learn(answer.mark);
  return absl::OkStatus();
}

// Incarnations are asked for on all shards, then all are opened, then work begins.
void ClientProcess::NextShard() {
  if (++shard_ < links_.size()) return Begin(&links_[shard_]);
  shard_ = 0;
  if (phase_ == Phase::kQuerying) {
    phase_ = Phase::kOpening;
    incarnation_ = Incarnation(incarnation_.value() + 1);
    world_->trace.Note("client ", client_.value(), ".", incarnation_.value(), " opens");
    return Begin(&links_[0]);
  }
  phase_ = Phase::kServing;
  Mark registered = known_mark_;
  for (const Link& link : links_) registered = std::min(registered, *link.opened_mark);
  marks_.emplace(registered, known_mark_);
  CloseMarks();
  Later(world_->plan.lease_us, [this] { Renew(); });
  for (Link& link : links_) {
    if (link.state == LinkState::kDown) Begin(&link);
  }
  for (const TableSpec& spec : world_->plan.tables) CreateTable(spec);
}

void ClientProcess::TryAgain(Link* link) {
  Drop(link);
  if (dead_) return;
  if (phase_ != Phase::kServing && link != &links_[shard_]) return;  // its turn comes
  link->state = LinkState::kWaiting;
  const uint64_t attempt = ++link->attempt;
  Later(link->backoff.NextMs() * 1000, [this, link, attempt] {
    if (link->attempt == attempt) Begin(link);
  });
}

void ClientProcess::Drop(Link* link) {
  network_->CloseByClient(link->session);
  link->session = SessionId(0);
  link->state = LinkState::kDown;
  ++link->attempt;
  link->queue.Rewind();
}

void ClientProcess::OnLost(SessionId session) {
  if (Link* link = LinkOf(session); link != nullptr) TryAgain(link);
}

void ClientProcess::Break(const absl::Status& status) {
  world_->trace.Note("client ", client_.value(), ".", incarnation_.value(),
                     " ends: ", std::string(status.message()));
  if (ReasonOf(status) == RefusalReason::kFenced) {
    world_->Count("fenced");
  } else if (ReasonOf(status) == RefusalReason::kNotOpened) {
    world_->Count("left behind");
  } else {
    world_->Expect(absl::DataLossError(StrCat("client: ends with: ", status.message())));
  }
  Die();
  events_.broken();
}

void ClientProcess::Flush(Link* link) {
  while (link->state == LinkState::kReady) {
    const std::vector<QueuedRequest> batch = link->queue.TakeForWriting(kPiecesPerWrite);
    if (batch.empty()) return;
    for (const QueuedRequest& queued : batch) {
      network_->SendToServer(link->session, FrameOf(*queued.request));
    }
    Later(world_->random.Below(world_->plan.network_us_max), [=, this, session = link->session] {
      if (link->session == session) link->queue.Written(batch);
    });
  }
}

void ClientProcess::OnAnswer(SessionId session, const ReceivedFrame& frame, size_t life) {
  Link* link = LinkOf(session);
  if (link == nullptr) return;
  world_->trace.Note("client ", client_.value(), ".", incarnation_.value(), " takes op ",
                     frame.header.op, " id ", frame.header.request_id, " of session ",
                     session.value(), ", ", frame.header.body_checksum);
  if (link->state == LinkState::kAsking) return TakeControl(link, frame);
  if (link->state != LinkState::kReady) return;
  answer_life_ = life;
  if (!TakeFrame(link, frame).ok() && !dead_) TryAgain(link);
}

absl::Status ClientProcess::TakeFrame(Link* link, const ReceivedFrame& frame) {
  const uint64_t id = frame.header.request_id;
  Request* request = link->queue.FindSent(id);
  if (frame.op() == Op::kError) return TakeRefusal(link, request, frame);
  if (request == nullptr) {
    if (!link->queue.WasSent(id)) {
      world_->Expect(absl::DataLossError(StrCat("client: an answer to request ", id)));
    }
    return absl::OkStatus();
  }
  CHECK(frame.op() == AnswerOp(request->op));
  const absl::Status result = request->accept(frame.body);
  world_->Expect(result);
  link->backoff.Reset();
  Learn(ToldMark(request->op, frame.body));
  link->queue.Answer(request, result);
  return absl::OkStatus();
}

absl::Status ClientProcess::TakeRefusal(Link* link, Request* request, const ReceivedFrame& frame) {
  const absl::Status refusal = RefusalIn(frame);
  if (request == nullptr) return absl::OkStatus();
  if (ReasonOf(refusal) == RefusalReason::kFenced ||
      ReasonOf(refusal) == RefusalReason::kNotOpened) {
    Break(refusal);
    return refusal;
  }
  if (IsRetryable(refusal)) return refusal;
  world_->Expect(absl::DataLossError(StrCat("client: refused for good: ", refusal.message())));
  link->queue.Answer(request, refusal);
  return absl::OkStatus();
}

void ClientProcess::Submit(std::shared_ptr<OpenCall> open, bool is_push) {
  Call* call = &open->call;
  if (call->requests.empty()) return;
  const bool counts = !open->then;  // what the client says of its own accord does not
  open_calls_ += counts;
  call->unanswered = call->requests.size();
  call->ended = [](const Call& ended) { ended.done(ended.error); };
  call->done = [this, counts, then = std::move(open->then)](const absl::Status& status) {
    open_calls_ -= counts;
    if (then) then(status);
    Later(0, [this] { Work(); });
  };
  if (is_push) {
    const PushIdentity identity{client_, incarnation_, window_.Begin(), window_.unretried_below(),
                                marks_->BeginPush()};
    call->done = [this, identity, done = std::move(call->done)](const absl::Status& status) {
      window_.Finish(identity.sequence);
      marks_->EndPush(identity.mark);
      if (!status.ok()) events_.given_up(identity);
      CloseMarks();
      done(status);
    };
    PushIdentity stamped = identity;
    if (world_->sabotage.push_mark) stamped.mark = world_->sabotage.push_mark(stamped.mark);
    for (Request& request : call->requests) {
      StampPush(stamped, &request);
      WatchPush(open.get(), &request, identity);
    }
  }
  for (Request& request : call->requests) SealFrame(&request, ++last_request_id_);
  const std::shared_ptr<Call> shared(open, call);
  for (Request& request : call->requests) {
    Link* link = &links_[request.shard.value()];
    link->queue.Add(shared, &request);
    Flush(link);
  }
  if (world_->plan.request_timeout_us == 0) return;
  Later(world_->plan.request_timeout_us, [this, open] { Expire(open); });
}

// As the client loop: a frame that is cut off in the middle cannot be followed by another.
void ClientProcess::Expire(const std::shared_ptr<OpenCall>& open) {
  Call* call = &open->call;
  if (call->unanswered == 0) return;
  world_->Count("call expired");
  for (Link& link : links_) {
    const bool writing = link.queue.IsWriting(*call);
    if (writing) TryAgain(&link);
    link.queue.Drop(*call);
  }
  const absl::Status status = Refuse(RefusalReason::kDeadline, "no answer");
  for (Request& request : call->requests) FinishRequest(call, &request, status);
}

void ClientProcess::Learn(Mark mark) {
  if (mark <= known_mark_) return;
  known_mark_ = mark;
  if (!marks_.has_value()) return;
  marks_->Learn(mark);
  CloseMarks();
}

template <typename Message>
std::shared_ptr<ClientProcess::OpenCall> ClientProcess::CallToAll(Op op, const Message& message) {
  auto open = std::make_shared<OpenCall>();
  for (const Link& link : links_) {
    Request request;
    request.shard = link.shard;
    request.op = op;
    request.head = HeadWithRoom(EncodeControl(message));
    request.accept = [](std::span<const std::byte>) { return absl::OkStatus(); };
    open->call.requests.push_back(std::move(request));
  }
  return open;
}

void ClientProcess::CloseMarks() {
  const std::optional<Mark> mark = marks_->TakeClosable();
  if (!mark.has_value()) return;
  world_->Count("mark closed");
  auto open = CallToAll(Op::kCloseMark, CloseMark{client_, incarnation_, *mark});
  open->then = [this, mark = *mark](const absl::Status& status) {
    status.ok() ? marks_->Closed(mark) : marks_->CloseFailed(mark);
  };
  Submit(std::move(open), false);
}

void ClientProcess::Renew() {
  if (leaving_) return;
  CloseMarks();
  for (Link& link : links_) {
    if (std::exchange(link.renewing, true)) continue;
    auto open = CallToAll(Op::kRenewClient, RenewClient{client_, incarnation_});
    std::erase_if(open->call.requests, [&](const Request& r) { return r.shard != link.shard; });
    open->then = [&link](const absl::Status&) { link.renewing = false; };
    Submit(std::move(open), false);
  }
  Later(world_->plan.lease_us, [this] { Renew(); });
}

void ClientProcess::Leave() {
  if (std::exchange(leaving_, true)) return;
  auto open = CallToAll(Op::kLeaveClient, LeaveClient{client_, incarnation_});
  open->then = [this](const absl::Status&) {
    Die();
    events_.idle();
  };
  Submit(std::move(open), false);
}

void ClientProcess::CreateTable(const TableSpec& spec) {
  auto open = CallToAll(Op::kCreateTable, rowhouse::CreateTable{spec});
  open->then = [this, &spec](const absl::Status& status) {
    if (!status.ok()) return CreateTable(spec);
    ++tables_made_;
  };
  Submit(std::move(open), false);
}

void ClientProcess::Work() {
  if (tables_made_ < world_->plan.tables.size() || pausing_ || leaving_) return;
  if (open_calls_ >= world_->plan.calls_in_flight_max) return;
  if (!events_.take_call()) {
    if (open_calls_ > 0) return;
    return leaves_ ? Leave() : events_.idle();
  }
  MakeCall();
  pausing_ = true;
  Later(world_->random.Below(world_->plan.pause_us_max), [this] {
    pausing_ = false;
    Work();
  });
}

void ClientProcess::MakeCall() {
  if (world_->random.Below(100) < world_->plan.pulls_in_100) return MakePull();
  MakePush();
}

std::vector<Key> ClientProcess::DrawKeys() {
  std::vector<Key> keys(world_->Between(1, world_->plan.keys_per_part_max));
  for (Key& key : keys) {
    key = Key(world_->random.Below(world_->plan.keys_per_table));
    if (key == Key(0)) key = Key(~uint64_t{0});
  }
  return keys;
}

// One to all of the tables, in any order.
std::shared_ptr<ClientProcess::OpenCall> ClientProcess::DrawCall(std::string what) {
  auto open = std::make_shared<OpenCall>();
  open->call.what = std::move(what);
  for (const TableSpec& spec : world_->plan.tables) {
    if (!open->specs.empty() && world_->OneIn(2)) continue;
    open->specs.push_back(spec);
    open->tables.push_back({TableIdOf(spec.name), Generation(1), spec.dim});
    open->keys.push_back(DrawKeys());
    open->rows.emplace_back(open->keys.back().size() * spec.dim);
  }
  return open;
}

void ClientProcess::MakePull() {
  auto open = DrawCall("pull");
  std::vector<PullPart> parts;
  for (size_t i = 0; i < open->tables.size(); ++i) {
    parts.push_back({open->tables[i], open->keys[i], open->rows[i]});
  }
  auto requests = PlanPull(*step_, std::move(parts), slots_, cluster_.limits);
  CHECK(requests.ok()) << requests.status();
  open->call.requests = *std::move(requests);
  for (Request& request : open->call.requests) WatchPull(open, &request);
  Submit(std::move(open), false);
}

void ClientProcess::MakePush() {
  auto open = DrawCall("push");
  std::vector<PushPart> parts;
  for (size_t i = 0; i < open->tables.size(); ++i) {
    for (float& g : open->rows[i]) g = static_cast<float>(world_->random.Below(2001)) / 1000 - 1;
    parts.push_back({open->tables[i], open->keys[i], open->rows[i]});
  }
  *step_ = Step(step_->value() + 1);
  auto requests = PlanPush(*step_, std::move(parts), slots_, cluster_.limits);
  CHECK(requests.ok()) << requests.status();
  open->call.requests = *std::move(requests);
  Submit(std::move(open), true);
}

// The strictest of the tables that the shard's part touches.
Durability ClientProcess::DurabilityOn(const OpenCall& call, ShardId shard) const {
  Durability strictest = Durability::kMemory;
  for (size_t i = 0; i < call.tables.size(); ++i) {
    for (const Key key : call.keys[i]) {
      if (slots_.ShardOf(call.tables[i].id, key) != shard) continue;
      strictest = std::max(strictest, call.specs[i].durability);
    }
  }
  return strictest;
}

void ClientProcess::WatchPush(OpenCall* open, Request* request, const PushIdentity& identity) {
  SentPart part{identity.client, identity.incarnation, identity.sequence, request->shard};
  part.durability = DurabilityOn(*open, request->shard);
  request->accept = [this, request, part,
                     accept = std::move(request->accept)](std::span<const std::byte> body) mutable {
    RETURN_IF_ERROR(accept(body));
    const auto answer = HeadOf<PushAnswer>(body);
    part.body_checksum = BodyChecksum(*request);
    world_->Count(answer.duplicate != 0 ? "push answered as duplicate" : "push answered");
    (*witnesses_)[request->shard.value()].acks.push_back({part, answer_life_, answer.lsn});
    links_[request->shard.value()].answered.push_back(
        {request->id, false, answer_life_, answer.lsn});
    return absl::OkStatus();
  };
}

void ClientProcess::WatchPull(const std::shared_ptr<OpenCall>& open, Request* request) {
  request->accept = [this, request, open = open.get(),
                     accept = std::move(request->accept)](std::span<const std::byte> body) {
    RETURN_IF_ERROR(accept(body));
    const Lsn lsn = HeadOf<PullAnswerHeader>(body).lsn;
    world_->Count("pull answered");
    const size_t shard = request->shard.value();
    links_[shard].answered.push_back({request->id, true, answer_life_, lsn});
    for (size_t i = 0; i < open->tables.size(); ++i) {
      const size_t dim = open->tables[i].dim;
      for (size_t j = 0; j < open->keys[i].size(); ++j) {
        const Key key = open->keys[i][j];
        if (slots_.ShardOf(open->tables[i].id, key) != request->shard) continue;
        const float* row = open->rows[i].data() + j * dim;
        (*witnesses_)[shard].pulled.push_back(
            {answer_life_, lsn, open->tables[i].id, key, {row, row + dim}});
      }
    }
    return absl::OkStatus();
  };
}

void ClientProcess::CheckOrders() const {
  for (const Link& link : links_) world_->Expect(CheckOrder(link.answered));
}

}  // namespace rowhouse
