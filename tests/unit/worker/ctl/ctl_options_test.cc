#include "worker/ctl/ctl_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<ParsedCtl> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "rowhousectl");
  return ParseCtlCommandLine(static_cast<int>(words.size()), words.data(), "1.2.3");
}

CtlOptions Good(std::vector<const char*> words) {
  const auto parsed = Parse(std::move(words));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->options : CtlOptions{};
}

std::string ErrorOf(std::vector<const char*> words) {
  return std::string(Parse(std::move(words)).status().message());
}

std::string AnswerTo(std::vector<const char*> words) {
  const auto parsed = Parse(std::move(words));
  return parsed.ok() ? parsed->answer.value_or("") : std::string(parsed.status().message());
}

TEST(CtlOptions, ReadsCreate) {
  const CtlOptions options = Good({"checkpoint", "create", "--servers", "a:1,unix:/b", "--dir", "d",
                                   "--user-data", "{}", "--leave-after-ms", "5", "--json"});
  EXPECT_EQ(options.command, CtlCommand::kCreate);
  EXPECT_THAT(options.client.servers, ElementsAre("a:1", "unix:/b"));
  EXPECT_TRUE(options.client.read_only);
  EXPECT_EQ(options.checkpoint.directory, "d");
  EXPECT_EQ(options.checkpoint.user_data, "{}");
  EXPECT_EQ(options.checkpoint.leave_after_ms, 5u);
  EXPECT_TRUE(options.json);
}

TEST(CtlOptions, ReadsTheOtherCheckpointCommands) {
  EXPECT_EQ(Good({"checkpoint", "list", "--dir", "d"}).command, CtlCommand::kList);
  const CtlOptions verify = Good({"checkpoint", "verify", "--dir", "d", "--checkpoint", "7"});
  EXPECT_EQ(verify.command, CtlCommand::kVerifyCheckpoint);
  EXPECT_EQ(verify.number, 7u);
  EXPECT_FALSE(verify.all);
  EXPECT_TRUE(Good({"checkpoint", "verify", "--dir", "d", "--all"}).all);
  const CtlOptions prune =
      Good({"checkpoint", "prune", "--dir", "d", "--keep", "3", "--keep-every", "10", "--dry-run"});
  EXPECT_EQ(prune.command, CtlCommand::kPrune);
  EXPECT_EQ(prune.retention.keep, 3u);
  EXPECT_EQ(prune.retention.keep_every, 10u);
  EXPECT_TRUE(prune.dry_run);
}

TEST(CtlOptions, PassesTheFlagsOfRestoreAndVerifyOnInOrder) {
  const CtlOptions restore = Good({"checkpoint", "restore", "--dir", "d", "--rowhouse-ps", "/x",
                                   "--data-dir", "e", "--json", "--shards=2"});
  EXPECT_EQ(restore.command, CtlCommand::kRestore);
  EXPECT_EQ(restore.server_program, "/x");
  EXPECT_THAT(restore.passed_flags,
              ElementsAre("--dir", "d", "--data-dir", "e", "--json", "--shards=2"));
  const CtlOptions verify = Good({"verify", "--data-dir", "e"});
  EXPECT_EQ(verify.command, CtlCommand::kVerifyData);
  EXPECT_THAT(verify.passed_flags, ElementsAre("--data-dir", "e"));
}

TEST(CtlOptions, NamesWhatIsWrong) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("subcommand"));
  EXPECT_THAT(ErrorOf({"checkpoint"}), HasSubstr("subcommand"));
  EXPECT_THAT(ErrorOf({"checkpoint", "list"}), HasSubstr("--dir"));
  EXPECT_THAT(ErrorOf({"checkpoint", "list", "--dir", "d", "--kepp", "3"}), HasSubstr("--kepp"));
  EXPECT_THAT(ErrorOf({"checkpoint", "prune", "--dir", "d", "--keep", "0"}), HasSubstr("--keep"));
  EXPECT_THAT(ErrorOf({"checkpoint", "verify", "--dir", "d", "--all", "--checkpoint", "7"}),
              HasSubstr("excludes"));
  EXPECT_THAT(ErrorOf({"checkpoint", "create", "--dir", "d"}), HasSubstr("--servers or --cluster"));
  EXPECT_THAT(ErrorOf({"checkpoint", "create", "--dir", "d", "--cluster", "/nowhere.toml"}),
              HasSubstr("/nowhere.toml"));
  EXPECT_THAT(ErrorOf({"checkpoint", "list"}), HasSubstr("--help"));
}

TEST(CtlOptions, EveryCommandHasHelpWithExamplesAndExitCodes) {
  for (const char* command : {"create", "list", "verify", "restore", "prune"}) {
    const std::string help = AnswerTo({"checkpoint", command, "--help"});
    EXPECT_THAT(help, HasSubstr(std::string("rowhousectl checkpoint ") + command));
    EXPECT_THAT(help, HasSubstr("Exit codes: 0"));
  }
  EXPECT_THAT(AnswerTo({"verify", "--help"}), HasSubstr("rowhousectl verify --data-dir"));
  EXPECT_THAT(AnswerTo({"verify", "--help"}), HasSubstr("2 it could not be judged"));
  EXPECT_THAT(AnswerTo({"--help"}), HasSubstr("checkpoint"));
  EXPECT_EQ(AnswerTo({"--version"}), "rowhousectl 1.2.3\n");
}

}  // namespace
}  // namespace rowhouse
