#include "worker/ctl/ctl_options.h"

#include <CLI/CLI.hpp>
#include <limits>

#include "common/cluster_file.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr uint32_t kDayMs = 24 * 3600 * 1000;

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failed or something is damaged, 2 bad usage.";

// Those of rowhouse-ps verify.
constexpr const char* kVerifyExitCodes =
    "Exit codes: 0 all is whole; 1 something is damaged; 2 it could not be judged: bad flags, no\n"
    "such directory, a server runs on it, a newer format, or rowhouse-ps could not be run.";

std::string Examples(const std::string& lines, const char* exit_codes = kExitCodes) {
  return StrCat("\nExamples:\n", lines, "\n", exit_codes, "\n");
}

void AddDirectory(CLI::App* app, CtlOptions* options) {
  app->add_option("--dir", options->checkpoint.directory, "Directory of the checkpoints")
      ->type_name("DIR")
      ->required();
}

void AddNumber(CLI::App* app, CtlOptions* options) {
  app->add_option("--checkpoint", options->number, "Its number; without it, the newest one")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, std::numeric_limits<uint64_t>::max()));
}

void AddJson(CLI::App* app, CtlOptions* options) {
  app->add_flag("--json", options->json, "Print JSON, one object in a line, instead of text");
}

void AddServerProgram(CLI::App* app, CtlOptions* options) {
  app->add_option("--rowhouse-ps", options->server_program,
                  "The server program, which does the work; without it, the one beside rowhousectl")
      ->type_name("PATH");
  app->allow_extras();
}

CLI::App* AddCommand(CLI::App* parent, CtlOptions* options, CtlCommand command,
                     const std::string& name, const std::string& help) {
  CLI::App* app = parent->add_subcommand(name, help);
  app->callback([options, command] { options->command = command; });
  return app;
}

void AddCreate(CLI::App* parent, CtlOptions* options) {
  CLI::App* app = AddCommand(parent, options, CtlCommand::kCreate, "create",
                             "Makes a checkpoint of all shards while training goes on.");
  app->add_option("--servers", options->client.servers,
                  "Servers of the cluster, in any order; unix:/path for a Unix-domain socket")
      ->type_name("HOST:PORT")
      ->delimiter(',');
  app->add_option("--cluster", options->cluster_file,
                  "Cluster file that lists the servers, instead of --servers")
      ->type_name("FILE");
  AddDirectory(app, options);
  app->add_option("--user-data", options->checkpoint.user_data,
                  "Any text of your own, kept in the manifest")
      ->type_name("TEXT");
  app->add_option("--leave-after-ms", options->checkpoint.leave_after_ms,
                  "Leave behind workers that were silent for as long and do not end their pushes; "
                  "0: none")
      ->type_name("MS")
      ->check(CLI::Range(0u, kDayMs))
      ->capture_default_str();
  app->add_option("--timeout-ms", options->checkpoint.timeout_ms, "Give up after as long")
      ->type_name("MS")
      ->check(CLI::Range(1u, kDayMs))
      ->capture_default_str();
  app->add_option("--connect-timeout-ms", options->client.connect_timeout_ms,
                  "How long to try to reach a server")
      ->type_name("MS")
      ->check(CLI::Range(1u, kDayMs))
      ->capture_default_str();
  AddJson(app, options);
  app->footer(Examples(
      "  rowhousectl checkpoint create --servers 10.0.0.1:7600,10.0.0.2:7600 --dir "
      "/mnt/checkpoints\n"
      "  rowhousectl checkpoint create --cluster cluster.toml --dir /mnt/checkpoints \\\n"
      "      --user-data 'before the new learning rate'\n\n"
      "Every server must see --dir under the same path: its files are put there by itself."));
}

void AddList(CLI::App* parent, CtlOptions* options) {
  CLI::App* app = AddCommand(parent, options, CtlCommand::kList, "list",
                             "Lists the checkpoints of a directory, the oldest first.");
  AddDirectory(app, options);
  AddJson(app, options);
  app->footer(
      Examples("  rowhousectl checkpoint list --dir /mnt/checkpoints\n"
               "  rowhousectl checkpoint list --dir /mnt/checkpoints --json | jq"));
}

void AddVerify(CLI::App* parent, CtlOptions* options) {
  CLI::App* app = AddCommand(parent, options, CtlCommand::kVerifyCheckpoint, "verify",
                             "Reads every file of a checkpoint and compares size and checksum.");
  AddDirectory(app, options);
  AddNumber(app, options);
  app->add_flag("--all", options->all, "Every checkpoint of the directory")
      ->excludes("--checkpoint");
  AddJson(app, options);
  app->footer(
      Examples("  rowhousectl checkpoint verify --dir /mnt/checkpoints\n"
               "  rowhousectl checkpoint verify --dir /mnt/checkpoints --checkpoint 7\n"
               "  rowhousectl checkpoint verify --dir /mnt/checkpoints --all --json"));
}

void AddRestore(CLI::App* parent, CtlOptions* options) {
  CLI::App* app =
      AddCommand(parent, options, CtlCommand::kRestore, "restore",
                 "Makes new data directories, for any number of shards, from a checkpoint.");
  AddServerProgram(app, options);
  app->footer(Examples(
      "  rowhousectl checkpoint restore --dir /mnt/checkpoints --data-dir /var/lib/rowhouse \\\n"
      "      --server-index 0 --server-count 2 --shards 1 --timeline 5c0e9d31a7f24b68\n\n"
      "Flags other than --rowhouse-ps are passed to 'rowhouse-ps restore', which does the work;\n"
      "'rowhouse-ps restore --help' lists them. Its exit code is passed on."));
}

void AddPrune(CLI::App* parent, CtlOptions* options) {
  CLI::App* app = AddCommand(parent, options, CtlCommand::kPrune, "prune",
                             "Removes old checkpoints and the files that none needs any more.");
  AddDirectory(app, options);
  app->add_option("--keep", options->retention.keep, "Keep that many of the newest")
      ->type_name("N")
      ->check(CLI::Range(1u, 1'000'000u))
      ->required();
  app->add_option("--keep-every", options->retention.keep_every,
                  "Keep also those whose number N divides")
      ->type_name("N")
      ->check(CLI::Range(1u, 1'000'000u));
  app->add_flag("--dry-run", options->dry_run, "Only say what would be removed");
  AddJson(app, options);
  app->footer(
      Examples("  rowhousectl checkpoint prune --dir /mnt/checkpoints --keep 3 --dry-run\n"
               "  rowhousectl checkpoint prune --dir /mnt/checkpoints --keep 3 --keep-every 100"));
}

void AddVerifyData(CLI::App* parent, CtlOptions* options) {
  CLI::App* app = AddCommand(parent, options, CtlCommand::kVerifyData, "verify",
                             "Checks the data directory of a server that does not run.");
  AddServerProgram(app, options);
  app->footer(
      Examples("  rowhousectl verify --data-dir /var/lib/rowhouse\n\n"
               "Flags other than --rowhouse-ps are passed to 'rowhouse-ps verify', which does the\n"
               "work; 'rowhouse-ps verify --help' lists them. Its exit code is passed on.",
               kVerifyExitCodes));
}

absl::Status FinishServers(CtlOptions* options) {
  auto& servers = options->client.servers;
  if (servers.empty() == options->cluster_file.empty()) {
    return absl::InvalidArgumentError("checkpoint create needs either --servers or --cluster");
  }
  if (!servers.empty()) return absl::OkStatus();
  auto cluster = ReadClusterFile(options->cluster_file);
  if (!cluster.ok()) return absl::InvalidArgumentError(cluster.status().message());
  servers = cluster->servers;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedCtl> ParseCtlCommandLine(int argc, const char* const* argv,
                                              const std::string& version) {
  ParsedCtl parsed;
  CtlOptions* const options = &parsed.options;
  options->client.read_only = true;
  options->client.program = "rowhousectl";
  CLI::App app("Looks after a Rowhouse cluster from outside.", "rowhousectl");
  app.set_version_flag("--version", StrCat("rowhousectl ", version));
  app.require_subcommand(1);
  app.footer(StrCat("\nrowhousectl checkpoint create --help and so on show each command's flags.\n",
                    kExitCodes, " Of verify: see its --help.\n"));
  CLI::App* checkpoint = app.add_subcommand("checkpoint", "Makes and looks after checkpoints.");
  checkpoint->require_subcommand(1);
  AddCreate(checkpoint, options);
  AddList(checkpoint, options);
  AddVerify(checkpoint, options);
  AddRestore(checkpoint, options);
  AddPrune(checkpoint, options);
  AddVerifyData(&app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.answer = app.help();
    return parsed;
  } catch (const CLI::CallForVersion&) {
    parsed.answer = StrCat("rowhousectl ", version, "\n");
    return parsed;
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(
        StrCat(error.what(), "; rowhousectl --help, also behind a command, shows the usage"));
  }
  options->passed_flags = app.remaining(true);
  if (options->command == CtlCommand::kCreate) RETURN_IF_ERROR(FinishServers(options));
  return parsed;
}

}  // namespace rowhouse
