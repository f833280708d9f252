#include "tests/bench/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_format.h"

namespace rowhouse {
namespace {

std::string CpuName() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string BuildName() {
  std::string name = ROWHOUSE_BUILD_TYPE;
#if defined(__SANITIZE_ADDRESS__)
  name += " with address sanitizer";
#elif defined(__SANITIZE_THREAD__)
  name += " with thread sanitizer";
#endif
  return name;
}

// By the magic numbers of linux/magic.h; those of others as they are. Of a path that is not there
// yet, where it will be.
std::string FileSystemOf(std::filesystem::path path) {
  path = std::filesystem::absolute(path);
  while (!std::filesystem::exists(path) && path != path.root_path()) path = path.parent_path();
  struct statfs found = {};
  if (::statfs(path.c_str(), &found) != 0) return "unknown";
  switch (static_cast<uint32_t>(found.f_type)) {
    case 0x0000ef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x2fc12fc1:
      return "zfs";
    case 0x794c7630:
      return "overlayfs";
    case 0x01021994:
      return "tmpfs";
    default:
      return absl::StrFormat("0x%x", static_cast<uint32_t>(found.f_type));
  }
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

MachineFacts ReadMachineFacts(const std::string& data_dir) {
  utsname system = {};
  ::uname(&system);
  return {CpuName(), std::thread::hardware_concurrency(), system.release, BuildName(),
          FileSystemOf(data_dir.empty() ? std::filesystem::temp_directory_path()
                                        : std::filesystem::path(data_dir))};
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void RunOnCpus(const std::vector<int>& cpus) { RunThreadOnCpus(0, cpus); }

void RunThreadOnCpus(int thread, const std::vector<int>& cpus) {
  if (cpus.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  ::sched_setaffinity(thread, sizeof(set), &set);
}

// First line of /proc/stat: user nice system idle iowait irq softirq steal.
double MachineCpuSeconds() {
  std::ifstream in("/proc/stat");
  std::string line;
  std::getline(in, line);
  std::istringstream fields(line.substr(line.find(' ')));
  double busy = 0;
  double ticks = 0;
  for (int i = 0; i < 8 && fields >> ticks; ++i) {
    if (i != 3 && i != 4) busy += ticks;
  }
  return busy / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double OwnCpuSeconds() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

}  // namespace rowhouse
