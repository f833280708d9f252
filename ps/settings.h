// Every setting of rowhouse-ps, bound to the options that it fills.
#pragma once

#include <string>

#include "common/config.h"
#include "ps/net/server.h"

namespace rowhouse {

struct ProgramOptions {
  ServerOptions server;
  std::string cluster_file;  // takes the place of listen, shards and server_count
  std::string ready_file;    // written when the server serves
};

// REQUIRES: `options` outlives the settings.
Settings MakeServerSettings(ProgramOptions* options);
Program ServerProgram();

// Takes listen, shards and server_count from the cluster file where one is given.
// Errors: what the file or the index gets wrong.
absl::Status ApplyClusterFile(const Settings& settings, ProgramOptions* options);

}  // namespace rowhouse
