#include "tests/bench/headline/sustained.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/keep_going.h"
#include "tests/bench/raw_socket.h"
#include "tests/bench/rowhouse_load.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kAppendBytes = 1000000;
constexpr uint64_t kSyncBytes = 64000000;
constexpr uint32_t kSlices = 12;
constexpr size_t kFinalStride = 97;
constexpr double kNothing = 1e-3;  // MB, or thousand rows
// What stays flat is 1 and swings with RocksDB's merges, what grows with each push is 2.
constexpr double kGrowthMax = 1.5;

absl::Status FileError(std::string_view what, const std::string& path) {
  return absl::UnavailableError(
      StrCat("bench: cannot ", what, " ", path, " (see --data-dir): ", std::strerror(errno)));
}

// Bytes a second of plain appends with a sync now and then, the last one included.
absl::StatusOr<double> AppendRate(const std::string& path, double seconds) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return FileError("create", path);
  const RawSocket closes(fd);
  ::unlink(path.c_str());  // its space comes back however this ends
  const std::vector<char> bytes(kAppendBytes, 'r');
  uint64_t written = 0;
  uint64_t unsynced = 0;
  const auto begin = Clock::now();
  while (SecondsSince(begin) < seconds) {
    const ssize_t taken = ::write(fd, bytes.data(), bytes.size());
    if (taken <= 0) return FileError("write", path);
    written += static_cast<uint64_t>(taken);
    unsynced += static_cast<uint64_t>(taken);
    if (unsynced < kSyncBytes) continue;
    if (::fdatasync(fd) != 0) return FileError("sync", path);
    unsynced = 0;
  }
  if (::fdatasync(fd) != 0) return FileError("sync", path);
  return static_cast<double>(written) / SecondsSince(begin);
}

// Files may go while they are looked at.
uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(directory, error);
  for (; !error && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(error)) {
    std::error_code gone;
    const uint64_t size = entries->is_regular_file(gone) ? entries->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

class Sustained {
 public:
  Sustained(const HeadlineOptions& options, const CpuSplit& cpus, const BatchPlan& plan)
      : options_(options),
        cpus_(cpus),
        plan_(plan),
        logged_row_bytes_(sizeof(Key) + plan.dim() * sizeof(float)) {}

  absl::Status Run(Headline* headline) {
    const TempDir temp_dir;
    const std::string directory = options_.data_dir.empty() ? temp_dir.path() : options_.data_dir;
    RETURN_IF_ERROR(MeasureAppends(directory));
    RETURN_IF_ERROR(PushForLong());
    RETURN_IF_ERROR(MeasureAppends(directory));
    Report(headline);
    return absl::OkStatus();
  }

 private:
  absl::Status MeasureAppends(const std::string& directory) {
    std::filesystem::create_directories(directory);
    ::sync();
    ASSIGN_OR_RETURN(const double rate,
                     AppendRate(StrCat(directory, "/appends"), options_.append_seconds));
    append_rates_.push_back(rate);
    return absl::OkStatus();
  }

  absl::Status PushForLong() {
    ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options_, cpus_));
    ASSIGN_OR_RETURN(auto client, server->ConnectTcp());
    ASSIGN_OR_RETURN(const auto load,
                     RowhouseLoad::Prepare(client.get(), &plan_,
                                           HeadlineTable(options_, "sustained", Durability::kLog)));
    RETURN_IF_ERROR(server->Drain());
    for (uint32_t slice = 0; slice < kSlices; ++slice) {
      std::cerr << "\rpush_log_sustained: part " << slice + 1 << " of " << kSlices
                << "                    " << std::flush;
      ASSIGN_OR_RETURN(const LoadResult result,
                       load->Pushes(options_.in_flight, options_.sustained_seconds / kSlices));
      Note(result);
      RETURN_IF_ERROR(Look(slice, client.get(), server->data_dir()));
    }
    RETURN_IF_ERROR(load->CheckAll(kFinalStride).status());
    client.reset();
    return server->Stop();
  }

  void Note(const LoadResult& result) {
    const double rows = static_cast<double>(result.requests) * plan_.batch_rows();
    rows_ += rows;
    seconds_ += result.seconds;
    row_rates_.push_back(rows / result.seconds / 1e6);
  }

  absl::Status Look(uint32_t slice, Client* client, const std::string& data_dir) {
    ASSIGN_OR_RETURN(const uint64_t last_lsn, CounterOf(client, "last_lsn"));
    ASSIGN_OR_RETURN(const uint64_t watermark, CounterOf(client, "watermark"));
    const double unflushed = static_cast<double>(last_lsn - std::min(last_lsn, watermark));
    unflushed_[slice / (kSlices / 2)].push_back(unflushed * plan_.batch_rows() / 1e6);
    disk_[slice / (kSlices / 2)].push_back(static_cast<double>(BytesIn(data_dir)) / 1e9);
    return absl::OkStatus();
  }

  void Report(Headline* headline) const {
    double appended = 0;
    Rate appends{"append_sync", {}, "MB/s"};
    for (const double rate : append_rates_) {
      appended += rate / static_cast<double>(append_rates_.size());
      appends.rounds.push_back(rate / 1e6);
    }
    const double logged = rows_ * static_cast<double>(logged_row_bytes_) / seconds_;
    headline->figures.push_back({"push_log_sustained", {logged / appended}, 0.5});
    headline->rates.push_back({"push_log_sustained", row_rates_});
    headline->rates.push_back({"push_log_sustained_bytes", {logged / 1e6}, "MB/s"});
    headline->rates.push_back(std::move(appends));
    for (int half = 0; half < 2; ++half) {
      const std::string suffix = half == 0 ? "_1st_half" : "_2nd_half";
      headline->rates.push_back({"unflushed" + suffix, unflushed_[half], "M rows pushed"});
      headline->rates.push_back({"disk" + suffix, disk_[half], "GB"});
    }
    headline->figures.push_back(
        {"sustained_unflushed_growth", {Growth(unflushed_)}, kGrowthMax, true});
    headline->figures.push_back({"sustained_disk_growth", {Growth(disk_)}, kGrowthMax, true});
  }

  // By their largest: both rise between two flushes, and fall after each.
  static double Growth(const std::vector<double> (&halves)[2]) {
    const auto largest = [](const std::vector<double>& half) {
      return *std::max_element(half.begin(), half.end());
    };
    return largest(halves[1]) / std::max(largest(halves[0]), kNothing);
  }

  const HeadlineOptions& options_;
  const CpuSplit& cpus_;
  const BatchPlan& plan_;
  const size_t logged_row_bytes_;  // key and gradients: what has to be in the log at least
  std::vector<double> append_rates_;
  std::vector<double> row_rates_;
  double rows_ = 0;
  double seconds_ = 0;
  std::vector<double> unflushed_[2];  // by half
  std::vector<double> disk_[2];
};

}  // namespace

absl::Status MeasureSustained(const HeadlineOptions& options, const CpuSplit& cpus,
                              const BatchPlan& plan, Headline* headline) {
  return Sustained(options, cpus, plan).Run(headline);
}

}  // namespace rowhouse
