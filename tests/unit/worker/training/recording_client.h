// A client for tests of what calls it: keeps no rows, writes down every call, and leaves it to the
// test when, and with what, a call completes.
#pragma once

#include <functional>
#include <future>
#include <string>
#include <vector>

#include "common/text.h"
#include "worker/client.h"

namespace rowhouse {

class RecordingClient : public Client {
 public:
  absl::StatusOr<Table> CreateTable(const TableSpec& spec) override {
    if (!create_status.ok()) return create_status;
    calls.push_back(StrCat("create ", spec.name));
    return Table{TableIdOf(spec.name), Generation(1), spec.dim};
  }

  std::future<absl::Status> Pull(Step step, std::vector<PullPart> parts) override {
    Called("pull", step);
    for (PullPart& part : parts) fill(part);
    pulled_parts.push_back(std::move(parts));
    return Answer("pull", step);
  }

  std::future<absl::Status> Push(Step step, std::vector<PushPart> parts) override {
    Called("push", step);
    pushed_parts.push_back(std::move(parts));
    return Answer("push", step);
  }

  absl::StatusOr<std::vector<StatsAnswer>> Stats() override { return std::vector<StatsAnswer>{}; }
  void AskAllShards(std::string, Op, ControlBody,
                    std::function<void(ControlAnswers)> done) override {
    done(absl::UnimplementedError("no shards here"));
  }
  uint32_t shard_count() const override { return 1; }
  ClientId id() const override { return ClientId(1); }
  Timeline timeline() const override { return Timeline(1); }
  Step last_step() const override { return Step(0); }

  std::vector<std::string> calls;  // "pull 1", "push 1", in the order made
  std::vector<std::string> waits;  // the same, in the order in which answers were waited for
  std::vector<std::string> log;    // both: "pull 1", "pull 1 answered"
  std::vector<std::vector<PullPart>> pulled_parts;
  std::vector<std::vector<PushPart>> pushed_parts;
  absl::Status create_status;
  // Called for each part of a pull.
  std::function<void(PullPart&)> fill = [](PullPart&) {};
  // The answer to a call: "pull" or "push" and its step.
  std::function<absl::Status(std::string_view, Step)> answer = [](std::string_view, Step) {
    return absl::OkStatus();
  };

 private:
  void Called(std::string_view call, Step step) {
    calls.push_back(StrCat(call, " ", step.value()));
    log.push_back(calls.back());
  }

  // Deferred: made when it is waited for.
  std::future<absl::Status> Answer(std::string_view call, Step step) {
    return std::async(std::launch::deferred, [this, call, step] {
      waits.push_back(StrCat(call, " ", step.value()));
      log.push_back(waits.back() + " answered");
      return answer(call, step);
    });
  }
};

}  // namespace rowhouse
