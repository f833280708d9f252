// What a measurement was made on, and what else the machine did meanwhile.
#pragma once

#include <string>
#include <vector>

namespace rowhouse {

struct MachineFacts {
  std::string cpu;
  unsigned cpus = 0;
  std::string kernel;
  std::string build;        // type, and sanitizers where there are any
  std::string file_system;  // of the servers' data: in "tmpfs" a log costs no disk
};
// `data_dir` empty: that for temporary files.
MachineFacts ReadMachineFacts(const std::string& data_dir);

// Processors that this process may run on, ascending.
std::vector<int> AllowedCpus();
// Binds the calling thread, and those that it starts, to them; an empty list changes nothing.
void RunOnCpus(const std::vector<int>& cpus);
// The same of another thread, by its number.
void RunThreadOnCpus(int thread, const std::vector<int>& cpus);

// Processor time that all processes of the machine have used since it started.
double MachineCpuSeconds();
// The same of this process.
double OwnCpuSeconds();

}  // namespace rowhouse
