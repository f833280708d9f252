#include "tests/bench/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

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

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

MachineFacts ReadMachineFacts() {
  utsname system = {};
  ::uname(&system);
  return {CpuName(), std::thread::hardware_concurrency(), system.release, BuildName()};
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
