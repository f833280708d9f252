// What rowhousectl can be told: its commands, flags and help.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint_driver.h"
#include "worker/checkpoint/checkpoint_prune.h"
#include "worker/client.h"

namespace rowhouse {

enum class CtlCommand { kCreate, kList, kVerifyCheckpoint, kRestore, kPrune, kVerifyData };

struct CtlOptions {
  CtlCommand command = CtlCommand::kList;
  bool json = false;

  ClientOptions client;
  std::string cluster_file;
  CheckpointOptions checkpoint;  // its directory is --dir of all checkpoint commands
  uint64_t number = 0;           // --checkpoint; 0: the newest
  bool all = false;              // verify every checkpoint
  Retention retention;
  bool dry_run = false;

  std::string server_program;             // --rowhouse-ps; empty: beside this one
  std::vector<std::string> passed_flags;  // to rowhouse-ps
};

struct ParsedCtl {
  CtlOptions options;
  std::optional<std::string> answer;  // help or version: to be printed instead of running
};

// Errors: invalid argument, with what is wrong and how to see the right usage.
absl::StatusOr<ParsedCtl> ParseCtlCommandLine(int argc, const char* const* argv,
                                              const std::string& version);

}  // namespace rowhouse
