// rowhouse-crash-fill: what the disk tier does on a disk that is full to the last page but a few.
//
// For every number of free pages from 0 on it fills the disk with a file, opens the tier and
// ingests until something fails (the opening, a compaction, the manifest or the file itself may be
// what finds no space), frees the disk again and measures how long it takes until an ingest works.
// Everything ingested must be there all the time, as it was.
// One JSON object goes to stdout. Exit code: 0 all is right, 1 something is wrong, 2 wrong flags.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/posix_file.h"
#include "storage/rocks_disk_tier.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPageBytes = 4096;
constexpr int kIngestsMax = 40;
constexpr auto kResumeTime = std::chrono::seconds(30);

// Takes all free space of a disk but some pages.
class Filler {
 public:
  explicit Filler(std::string path) : path_(std::move(path)) {}
  ~Filler() { Remove(); }

  absl::Status Fill(uint64_t pages_left) {
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path_, O_WRONLY | O_CREAT, "create"));
    const std::vector<char> page(kPageBytes, 'x');
    off_t bytes = 0;
    for (ssize_t written; (written = write(fd.get(), page.data(), page.size())) > 0;) {
      bytes += written;
    }
    const off_t kept = std::max<off_t>(0, bytes - static_cast<off_t>(pages_left * kPageBytes));
    return ftruncate(fd.get(), kept) == 0 ? absl::OkStatus() : PosixError("truncate", path_);
  }
  void Remove() { unlink(path_.c_str()); }

 private:
  const std::string path_;
};

class FullDisk {
 public:
  explicit FullDisk(const std::string& dir) : dir_(dir), filler_(dir + "/filler") {}

  absl::Status Open() {
    ASSIGN_OR_RETURN(disk_, OpenRocksDiskTier(dir_ + "/rows"));
    return absl::OkStatus();
  }

  absl::Status Run(uint64_t pages_max) {
    RETURN_IF_ERROR(Open());
    for (uint64_t pages = 0; pages <= pages_max; ++pages) {
      RETURN_IF_ERROR(FillAndFree(pages, /*reopen=*/false));
      RETURN_IF_ERROR(FillAndFree(pages, /*reopen=*/true));
    }
    disk_.reset();
    RETURN_IF_ERROR(Open());
    return CheckEverything();
  }

  boost::json::object Report() const {
    boost::json::object refusals;
    for (const auto& [kind, count] : refusals_) refusals[kind] = count;
    return {{"ingests", ingests_},
            {"refusals", refusals},
            {"longest_until_ingest_works_ms", longest_ms_}};
  }

 private:
  absl::Status FillAndFree(uint64_t pages, bool reopen) {
    if (reopen) disk_.reset();
    RETURN_IF_ERROR(filler_.Fill(pages));
    absl::Status refused = reopen ? Open() : absl::OkStatus();
    const bool is_open = refused.ok();
    if (is_open) {
      refused = IngestUntilRefused();
      RETURN_IF_ERROR(CheckEverything());  // reads go on
    }
    filler_.Remove();
    if (refused.ok()) return absl::OkStatus();
    ++refusals_[Kind(refused)];
    if (!is_open) RETURN_IF_ERROR(Open());
    return WaitUntilIngested();
  }

  // The same keys again and again, so that files overlap and compactions have work.
  absl::Status IngestOne() {
    ++round_;
    std::vector<DiskEntry> entries;
    for (int i = 0; i < 20; ++i) {
      entries.push_back({absl::StrFormat("key %02d", (i * 7 + round_) % 50),
                         absl::StrFormat("%d %s", round_, std::string(500, 'v'))});
    }
    std::sort(entries.begin(), entries.end(),
              [](const DiskEntry& a, const DiskEntry& b) { return a.key < b.key; });
    RETURN_IF_ERROR(disk_->Ingest(entries));
    ++ingests_;
    for (const DiskEntry& entry : entries) expected_[entry.key] = entry.value;
    return absl::OkStatus();
  }

  absl::Status IngestUntilRefused() {
    for (int i = 0; i < kIngestsMax; ++i) RETURN_IF_ERROR(IngestOne());
    return absl::OkStatus();
  }

  absl::Status WaitUntilIngested() {
    const auto begin = Clock::now();
    absl::Status status = IngestOne();
    while (!status.ok()) {
      if (Clock::now() - begin > kResumeTime) {
        return absl::UnavailableError(
            StrCat("still refused with space enough: ", std::string(status.message())));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      status = IngestOne();
    }
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    longest_ms_ = std::max<int64_t>(longest_ms_, taken.count());
    return absl::OkStatus();
  }

  absl::Status CheckEverything() const {
    size_t seen = 0;
    RETURN_IF_ERROR(disk_->Scan("", "", [&](std::string_view key, std::string_view value) {
      const auto found = expected_.find(std::string(key));
      ++seen;
      if (found != expected_.end() && found->second == value) return absl::OkStatus();
      return absl::DataLossError(StrCat("'", key, "' is not what was ingested"));
    }));
    if (seen == expected_.size()) return absl::OkStatus();
    return absl::DataLossError(StrCat(seen, " entries of ", expected_.size()));
  }

  // The message without numbers and paths: what failed.
  static std::string Kind(const absl::Status& status) {
    std::string kind(status.message());
    kind = kind.substr(0, kind.find(" /")) + " ... " + kind.substr(kind.rfind(": ") + 2);
    return kind;
  }

  const std::string dir_;
  Filler filler_;
  std::unique_ptr<DiskTier> disk_;
  int round_ = 0;
  uint64_t ingests_ = 0;
  int64_t longest_ms_ = 0;
  std::map<std::string, std::string> expected_;
  std::map<std::string, uint64_t> refusals_;
};

int Main(int argc, char** argv) {
  std::string dir;
  uint64_t pages_max = 64;
  Settings settings;
  settings.Section("fill", "Fill");
  settings.Text("dir", &dir, "DIR", "A small disk of its own, empty");
  settings.Integer("pages_max", &pages_max, {0, 4096}, "pages", "Most free pages tried");
  const auto parsed = settings.ParseCommandLine(argc, argv,
                                                {"rowhouse-crash-fill",
                                                 ROWHOUSE_VERSION,
                                                 "Fills a disk and looks what the disk tier does.",
                                                 {},
                                                 {"rowhouse-crash-fill --dir /mnt/small"}});
  if (!parsed.ok() || parsed->answer) {
    std::cerr << (parsed.ok() ? *parsed->answer : std::string(parsed.status().message())) << "\n";
    return parsed.ok() ? 0 : 2;
  }
  FullDisk full(dir);
  const absl::Status status = full.Run(pages_max);
  boost::json::object report = full.Report();
  report["error"] = std::string(status.message());
  std::cout << boost::json::serialize(report) << std::endl;
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) { return rowhouse::Main(argc, argv); }
