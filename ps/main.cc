// rowhouse-ps: serves shards of embedding tables until SIGTERM or SIGINT; subcommands work on the
// data directory of a server that does not run.
//
// Exit codes, where a subcommand does not say otherwise: 0 stopped in order, or done; 1 cannot
// start, or cannot write everything when stopped, with the reason on stderr; 2 bad flags or config.
#include <glog/logging.h>

#include <array>
#include <string_view>

#include "ps/commands/commands.h"

namespace {

struct Command {
  std::string_view name;
  int (*run)(int argc, const char* const* argv);
};

// The first one runs where none is named.
constexpr std::array kCommands = {
    Command{"serve", rowhouse::RunServe},
    Command{"restore", rowhouse::RunRestore},
    Command{"verify", rowhouse::RunVerify},
};

}  // namespace

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  for (const Command& command : kCommands) {
    if (argc > 1 && command.name == argv[1]) return command.run(argc, argv);
  }
  return kCommands.front().run(argc, argv);
}
