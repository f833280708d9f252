// The subcommands of rowhouse-bench. Each parses its own command line; argv[0] is the program's
// name, argv[1] the subcommand's where it was given.
//
// Exit codes: 0 measured and every answer right; 1 not, with the reason on stderr; 2 bad flags.
#pragma once

namespace rowhouse {

int RunRpcBench(int argc, const char* const* argv);
int RunRecoveryBench(int argc, const char* const* argv);

}  // namespace rowhouse
