// rowhouse-crash-oracle: judges what a cluster under crashes has kept. See crash_rounds.py.
//
// Reads the push logs of all shards from LSN 1 on and what the load processes were told, and
// compares: every row on disk bit-equal to the sequential oracle, every acknowledged part in its
// shard's log once, under the same LSN, with the same payload; no part twice.
//
// All servers must have been stopped in order. With --shadow the logs may be trimmed: then the
// program runs beside the servers, keeps and reads segments as they come, and judges when its
// standard input ends.
//
// With --checkpoint it looks at one checkpoint instead: whether it is a consistent cut of the logs,
// and, with --restored, whether what was restored from it is the state of that cut.
//
// One JSON object goes to stdout. Exit code: 0 all is right, 1 something is wrong, 2 wrong flags.
#include <poll.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint_manifest.h"
#include "common/config.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "storage/shard_identity.h"
#include "tests/crash/cut_checker.h"
#include "tests/crash/journal.h"
#include "tests/crash/log_shadow.h"
#include "tests/crash/part_ledger.h"
#include "tests/crash/row_oracle.h"

namespace rowhouse {
namespace {

constexpr int kFollowMs = 50;

struct OracleOptions {
  std::vector<std::string> shard_dirs;
  std::string journals;
  std::string shadow;
  std::string checkpoint;
  std::vector<std::string> restored_dirs;
};

Settings MakeSettings(OracleOptions* options) {
  Settings settings;
  settings.Section("oracle", "Oracle");
  settings.TextList("shard_dir", &options->shard_dirs, "DIR",
                    "A shard's directory, for each shard");
  settings.Text("journals", &options->journals, "DIR", "Where the load processes keep journals");
  settings.Text("shadow", &options->shadow, "DIR",
                "Follow running servers whose logs are trimmed; on the logs' file system");
  settings.Text("checkpoint", &options->checkpoint, "FILE",
                "Manifest of the checkpoint to look at");
  settings.TextList("restored", &options->restored_dirs, "DIR",
                    "Directory of a shard that was restored from it, for each shard");
  return settings;
}

Program OracleProgram() {
  return {"rowhouse-crash-oracle",
          ROWHOUSE_VERSION,
          "Compares rows, logs and acknowledgements after crashes.",
          {},
          {"rowhouse-crash-oracle --shard-dir server-0/shard-0,server-0/shard-1 --journals acks"}};
}

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

absl::StatusOr<ShardIdentity> IdentityIn(const std::string& shard_dir) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(shard_dir + "/IDENTITY"));
  return DecodeIdentity(text);
}

class Judge {
 public:
  explicit Judge(const OracleOptions& options) : options_(options), journals_(options.journals) {}

  absl::Status Open() {
    for (const std::string& dir : options_.shard_dirs) {
      ASSIGN_OR_RETURN(const ShardIdentity identity, IdentityIn(dir));
      shards_.push_back(
          {dir, RowOracle(identity, &ledger_),
           LogShadow(dir + "/log", StrCat(options_.shadow, "/shard-", identity.shard.value()))});
    }
    return absl::OkStatus();
  }

  // Until standard input ends.
  absl::Status FollowServers() {
    for (bool at_end = false; !at_end;) {
      RETURN_IF_ERROR(TakeNew(/*to_the_end=*/false));
      pollfd in{STDIN_FILENO, POLLIN, 0};
      char byte;
      at_end = poll(&in, 1, kFollowMs) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
    }
    return TakeNew(/*to_the_end=*/true);
  }

  absl::Status ReadArchives() {
    for (OneShard& shard : shards_) {
      RETURN_IF_ERROR(ReadWholeLog(shard.dir + "/log", Lsn(0), [&](const LogRecord& record) {
        return shard.oracle.Apply(record);
      }));
    }
    return ReadJournals();
  }

  absl::Status CompareRows() {
    absl::Status first;
    for (OneShard& shard : shards_) {
      ASSIGN_OR_RETURN(const auto disk, OpenRocksDiskTierReadOnly(shard.dir + "/rows"));
      first.Update(shard.oracle.Compare(*disk));
    }
    return first;
  }

  // The state of a checkpoint's cut, and whether it is one.
  absl::Status ReadCut() {
    ASSIGN_OR_RETURN(const std::string text, ReadText(options_.checkpoint));
    ASSIGN_OR_RETURN(CheckpointManifest manifest, DecodeManifest(text));
    CutChecker cut(std::move(manifest));
    for (OneShard& shard : shards_) {
      RETURN_IF_ERROR(
          ReadWholeLog(shard.dir + "/log", Lsn(0), [&](const LogRecord& record) -> absl::Status {
            ASSIGN_OR_RETURN(const bool counts, cut.Take(shard.oracle.identity().shard, record));
            if (counts) return shard.oracle.Apply(record);
            shard.oracle.Skip(record);
            return absl::OkStatus();
          }));
    }
    errors_ = cut.Errors();
    return absl::OkStatus();
  }

  // Restored shards may be any number.
  absl::Status CompareRestored() {
    uint64_t rows = 0;
    uint64_t expected_rows = 0;
    for (const OneShard& shard : shards_) expected_rows += shard.oracle.row_count();
    for (const std::string& dir : options_.restored_dirs) {
      ASSIGN_OR_RETURN(const auto disk, OpenRocksDiskTierReadOnly(dir + "/rows"));
      RETURN_IF_ERROR(
          disk->Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
            ++rows;
            return CompareRestoredRow(key, value);
          }));
    }
    if (rows == expected_rows) return absl::OkStatus();
    return absl::DataLossError(
        StrCat(rows, " rows are restored, ", expected_rows, " are in the cut"));
  }

  // Whether nothing is wrong.
  bool Report(const absl::Status& status) {
    ledger_.Finish();
    boost::json::array errors;
    for (const std::string& error : errors_) errors.emplace_back(error);
    if (!status.ok()) errors.emplace_back(std::string(status.message()));
    for (const std::string& error : ledger_.errors()) errors.emplace_back(error);
    uint64_t rows = 0;
    uint64_t records = 0;
    for (const OneShard& shard : shards_) {
      rows += shard.oracle.row_count();
      records += shard.oracle.last_lsn().value();
    }
    const uint64_t error_count = ledger_.error_count() + errors_.size() + !status.ok();
    const boost::json::object report = {{"shards", shards_.size()},
                                        {"rows", rows},
                                        {"records", records},
                                        {"parts_logged", ledger_.logged()},
                                        {"parts_acknowledged", ledger_.acknowledged()},
                                        {"answered_as_duplicates", ledger_.duplicates()},
                                        {"never_acknowledged", ledger_.never_acknowledged()},
                                        {"error_count", error_count},
                                        {"errors", errors}};
    std::cout << boost::json::serialize(report) << std::endl;
    return error_count == 0;
  }

 private:
  struct OneShard {
    std::string dir;
    RowOracle oracle;
    LogShadow shadow;
  };

  absl::Status CompareRestoredRow(std::string_view disk_key, std::string_view value) {
    ASSIGN_OR_RETURN(const RowKey key, DecodeRowKey(disk_key));
    const SlotMap slots(static_cast<uint32_t>(shards_.size()));
    const ShardId home = slots.ShardOf(key.table, key.key);
    for (const OneShard& shard : shards_) {
      if (shard.oracle.identity().shard != home) continue;
      const std::string what = shard.oracle.Difference(disk_key, value, /*with_lsn=*/false);
      return what.empty() ? absl::OkStatus() : absl::DataLossError(what);
    }
    return absl::DataLossError(StrCat("shard ", home.value(), " is not among --shard-dir"));
  }

  absl::Status TakeNew(bool to_the_end) {
    for (OneShard& shard : shards_) RETURN_IF_ERROR(shard.shadow.Follow());
    for (OneShard& shard : shards_) {
      RETURN_IF_ERROR(shard.shadow.Feed(
          to_the_end, [&](const LogRecord& record) { return shard.oracle.Apply(record); }));
    }
    return ReadJournals();
  }

  absl::Status ReadJournals() {
    ASSIGN_OR_RETURN(const auto parts, journals_.ReadNew());
    for (const AcknowledgedPart& part : parts) ledger_.NoteAcknowledged(part);
    return absl::OkStatus();
  }

  const OracleOptions options_;
  JournalReader journals_;
  PartLedger ledger_;
  std::vector<OneShard> shards_;
  std::vector<std::string> errors_;  // of the cut
};

absl::Status RunJudge(const OracleOptions& options, Judge* judge) {
  RETURN_IF_ERROR(judge->Open());
  if (!options.checkpoint.empty()) {
    RETURN_IF_ERROR(judge->ReadCut());
    return options.restored_dirs.empty() ? absl::OkStatus() : judge->CompareRestored();
  }
  RETURN_IF_ERROR(options.shadow.empty() ? judge->ReadArchives() : judge->FollowServers());
  return judge->CompareRows();
}

int Main(int argc, char** argv) {
  OracleOptions options;
  Settings settings = MakeSettings(&options);
  const auto parsed = settings.ParseCommandLine(argc, argv, OracleProgram());
  if (!parsed.ok() || options.shard_dirs.empty() == !parsed->answer.has_value()) {
    std::cerr << (parsed.ok() ? "--shard-dir is missing" : std::string(parsed.status().message()))
              << "\n";
    return 2;
  }
  if (parsed->answer) {
    std::cout << *parsed->answer;
    return 0;
  }
  Judge judge(options);
  return judge.Report(RunJudge(options, &judge)) ? 0 : 1;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) { return rowhouse::Main(argc, argv); }
