
#include "common/status_macros.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/stats_table.h"

namespace rowhouse {

absl::Status RunStats(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(const auto client, Client::Connect(options.client));
  ASSIGN_OR_RETURN(const auto stats, client->Stats());
  if (options.json) {
    PrintLine(StatsJson(stats));
  } else {
    for (const std::string& line : StatsTable(stats)) PrintLine(line);
  }
  return absl::OkStatus();
}

}  // namespace rowhouse
