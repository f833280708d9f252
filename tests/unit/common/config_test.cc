#include "common/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "common/text.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Mode { kFast, kSafe };

struct Options {
  uint64_t frame_bytes_max = 1 << 20;
  uint32_t shards = 1;
  std::optional<uint32_t> fold = 0;
  double lr = 0.05;
  bool json = false;
  std::string data;
  std::vector<std::string> servers;
  std::vector<std::string> titles;
  Mode mode = Mode::kFast;
};

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    settings_.Section("server", "Server");
    settings_.Integer("frame_bytes_max", &options_.frame_bytes_max, {4096, 1 << 30}, "bytes",
                      "Largest frame");
    settings_.Integer("shards", &options_.shards, {1, 256}, "shards", "Shards of this server");
    settings_.Section("train", "Training");
    settings_.OptionalInteger("fold", &options_.fold, {0, 99}, "", "Fold that is held out");
    settings_.Number("lr", &options_.lr, {0, 10}, "", "Learning rate");
    settings_.Switch("json", &options_.json, "Print JSON");
    settings_.Text("data", &options_.data, "FILE", "Ratings");
    settings_.TextList("servers", &options_.servers, "HOST:PORT", "Servers");
    settings_.RepeatedText("title", &options_.titles, "TEXT", "Titles");
    settings_.Choice("mode", &options_.mode, {{"fast", Mode::kFast}, {"safe", Mode::kSafe}},
                     "Which mode");
  }

  absl::StatusOr<ParsedCommandLine> Flags(std::vector<const char*> words) {
    words.insert(words.begin(), "prog");
    return settings_.ParseCommandLine(words.size(), words.data(), program_);
  }
  std::string FlagsError(std::vector<const char*> words) {
    return std::string(Flags(std::move(words)).status().message());
  }
  absl::Status Toml(std::string_view text) { return settings_.LoadToml(text, "p.toml"); }
  std::string TomlError(std::string_view text) { return std::string(Toml(text).message()); }

  Options options_;
  Settings settings_;
  Program program_{.name = "prog",
                   .version = "1.2.3",
                   .summary = "A program",
                   .commands = {{"run", "Runs"}, {"stop", "Stops"}},
                   .examples = {"prog run --lr 0.1"}};
};

TEST_F(SettingsTest, TakesEveryTypeFromFlags) {
  auto parsed = Flags({"--frame-bytes-max", "8192", "--shards=3", "--lr", "1e-3", "--json",
                       "--data", "u.data", "--mode", "safe", "--fold", "2"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(options_.frame_bytes_max, 8192);
  EXPECT_EQ(options_.shards, 3);
  EXPECT_EQ(options_.lr, 1e-3);
  EXPECT_TRUE(options_.json);
  EXPECT_EQ(options_.data, "u.data");
  EXPECT_EQ(options_.mode, Mode::kSafe);
  EXPECT_EQ(options_.fold, 2);
  EXPECT_FALSE(parsed->answer);
}

TEST_F(SettingsTest, TakesEveryTypeFromToml) {
  absl::Status status = Toml(
      "json = true\n[server]\nframe_bytes_max = 8_192\nshards = 3\n"
      "[train]\nlr = 1\ndata = 'u.data'\nservers = ['a:1', 'b:2']\nmode = 'safe'\nfold = 'none'\n");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(options_.frame_bytes_max, 8192);
  EXPECT_EQ(options_.shards, 3);
  EXPECT_EQ(options_.lr, 1);
  EXPECT_TRUE(options_.json);
  EXPECT_THAT(options_.servers, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(options_.mode, Mode::kSafe);
  EXPECT_FALSE(options_.fold);
}

TEST_F(SettingsTest, FlagsWinOverFileAndFileOverDefaults) {
  const std::string path = StrCat(::testing::TempDir(), "/settings.", getpid(), ".toml");
  std::ofstream(path) << "[server]\nshards = 5\nframe_bytes_max = 5000\n";
  auto parsed = Flags({"--shards", "7", "--config", path.c_str()});
  unlink(path.c_str());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(options_.shards, 7);
  EXPECT_EQ(options_.frame_bytes_max, 5000);
  EXPECT_EQ(options_.lr, 0.05);
  EXPECT_TRUE(settings_.IsGiven("frame_bytes_max"));
  EXPECT_FALSE(settings_.IsGiven("lr"));
}

TEST_F(SettingsTest, ListsAreRepeatedOrSeparatedByCommas) {
  ASSERT_TRUE(Flags({"--servers", "a:1,b:2", "--servers=c:3"}).ok());
  EXPECT_THAT(options_.servers, ElementsAre("a:1", "b:2", "c:3"));
  EXPECT_THAT(FlagsError({"--servers", "a:1,,b:2"}), HasSubstr("flag --servers is a:1,,b:2"));
}

TEST_F(SettingsTest, RepeatedTextsMayHoldCommas) {
  ASSERT_TRUE(Flags({"--title", "Net, The", "--title", "Heat"}).ok());
  EXPECT_THAT(options_.titles, ElementsAre("Net, The", "Heat"));
  ASSERT_TRUE(Toml("title = ['Piano, The']\n").ok());
  EXPECT_THAT(options_.titles, ElementsAre("Piano, The"));
}

TEST_F(SettingsTest, CommandStandsAnywhereAndDefaultsToTheFirst) {
  EXPECT_EQ(Flags({})->command, "run");
  EXPECT_EQ(Flags({"stop", "--json"})->command, "stop");
  EXPECT_EQ(Flags({"--json", "stop"})->command, "stop");
  EXPECT_THAT(FlagsError({"go"}), HasSubstr("unexpected argument go"));
  EXPECT_THAT(FlagsError({"stop", "run"}), HasSubstr("unexpected argument run"));
}

TEST_F(SettingsTest, SwitchCanBeTurnedOff) {
  options_.json = true;
  ASSERT_TRUE(Flags({"--json=false"}).ok());
  EXPECT_FALSE(options_.json);
}

TEST_F(SettingsTest, RefusesBadFlagsNamingFlagValueBoundsAndUnit) {
  EXPECT_EQ(FlagsError({"--frame-bytes-max", "12"}),
            "flag --frame-bytes-max is 12, expected a whole number, 4096 to 1073741824 bytes");
  EXPECT_EQ(FlagsError({"--shards", "abc"}),
            "flag --shards is abc, expected a whole number, 1 to 256 shards");
  for (const char* bad : {"-1", "1.5", "1x", "", "4294967297", "99999999999999999999999"}) {
    EXPECT_THAT(FlagsError({StrCat("--shards=", bad).c_str()}), HasSubstr("flag --shards")) << bad;
  }
  for (const char* bad : {"-0.1", "10.1", "nan", "inf", "1,5"}) {
    EXPECT_THAT(FlagsError({StrCat("--lr=", bad).c_str()}),
                HasSubstr("expected a number, 0 to 10"));
  }
  EXPECT_THAT(FlagsError({"--mode", "slow"}), HasSubstr("is slow, expected one of fast, safe"));
  EXPECT_THAT(FlagsError({"--json=maybe"}), HasSubstr("--json"));
  EXPECT_THAT(FlagsError({"--fold", "any"}), HasSubstr("0 to 99, or none"));
}

TEST_F(SettingsTest, RefusesUnknownRepeatedAndIncompleteFlags) {
  EXPECT_THAT(FlagsError({"--shard", "2"}),
              HasSubstr("unknown flag --shard; did you mean --shards?"));
  EXPECT_THAT(FlagsError({"--completely-else=2"}),
              ::testing::StartsWith("unknown flag --completely-else ("));
  EXPECT_THAT(FlagsError({"--shards", "2", "--shards", "3"}), HasSubstr("given 2 times"));
  EXPECT_THAT(FlagsError({"--shards"}), HasSubstr("flag --shards needs a value"));
  EXPECT_THAT(FlagsError({"-x"}), HasSubstr("unknown flag -x"));
}

TEST_F(SettingsTest, RefusesBadTomlNamingFileLineAndKey) {
  EXPECT_EQ(TomlError("[server]\n\nframe_bytes_max = 12\n"),
            "p.toml:3: frame_bytes_max is 12, expected a whole number, 4096 to 1073741824 bytes");
  EXPECT_EQ(TomlError("[server]\nshards = '3'\n"),
            "p.toml:2: shards is '3', expected a whole number, 1 to 256 shards");
  EXPECT_THAT(TomlError("shards = -1\n"), HasSubstr("p.toml:1: shards is -1"));
  EXPECT_THAT(TomlError("shards = 4294967297\n"), HasSubstr("p.toml:1: shards"));
  EXPECT_THAT(TomlError("shards = 1.5\n"), HasSubstr("p.toml:1: shards is 1.5"));
  EXPECT_THAT(TomlError("json = 1\n"), HasSubstr("expected true or false"));
  EXPECT_THAT(TomlError("servers = [1]\n"), HasSubstr("expected a list of text"));
  EXPECT_THAT(TomlError("data = ['a']\n"), HasSubstr("p.toml:1: data"));
  EXPECT_THAT(TomlError("mode = 'slow'\n"), HasSubstr("expected one of fast, safe"));
  EXPECT_THAT(TomlError("lr = inf\n"), HasSubstr("lr is inf"));
}

TEST_F(SettingsTest, RefusesUnknownAndMisplacedTomlKeys) {
  EXPECT_EQ(TomlError("[server]\nshard = 3\n"),
            "p.toml:2: unknown key shard in [server]; did you mean shards?");
  EXPECT_EQ(TomlError("\n[srv]\nshards = 3\n"), "p.toml:2: unknown section [srv]");
  EXPECT_EQ(TomlError("[train]\nshards = 3\n"),
            "p.toml:2: unknown key shards in [train]; it belongs in [server]");
  EXPECT_THAT(TomlError("[server]\nshards = = 3\n"), HasSubstr("p.toml:2: not TOML"));
  EXPECT_THAT(TomlError("shards = 1\nshards = 2\n"), HasSubstr("p.toml:2"));
}

TEST_F(SettingsTest, NamesAConfigFileThatIsNotThere) {
  EXPECT_THAT(FlagsError({"--config", "/nowhere/p.toml"}),
              HasSubstr("cannot read /nowhere/p.toml: No such file"));
}

TEST_F(SettingsTest, HelpShowsGroupsUnitsDefaultsBoundsAndExamples) {
  auto parsed = Flags({"--help", "--shards", "9999"});
  ASSERT_TRUE(parsed.ok());
  ASSERT_TRUE(parsed->answer);
  for (const char* part :
       {"Server:", "Training:", "--frame-bytes-max N", "4096 to 1073741824 bytes; default 1048576",
        "prog run --lr 0.1", "--mode fast|safe", "default fast", "default 0.05", "--config FILE",
        "stop", "run (default)"}) {
    EXPECT_THAT(*parsed->answer, HasSubstr(part));
  }
  EXPECT_EQ(options_.shards, 1);
}

TEST_F(SettingsTest, VersionNamesTheProgram) {
  EXPECT_EQ(Flags({"--version"})->answer, "prog 1.2.3\n");
}

}  // namespace
}  // namespace rowhouse
