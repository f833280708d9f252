#include "tests/bench/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/machine.h"

namespace rowhouse {
namespace {

constexpr int kStartTimeoutMs = 60000;
constexpr int kLookMs = 100;  // between looks whether the server is still there

absl::Status SystemError(std::string_view what) {
  return absl::InternalError(StrCat(what, ": ", std::strerror(errno)));
}

absl::StatusOr<int> Fork(const std::function<void()>& in_child, const std::vector<int>& cpus) {
  const int parent = ::getpid();
  const int pid = ::fork();
  if (pid < 0) return SystemError("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
  RunOnCpus(cpus);
  in_child();
  ::_exit(0);
}

// Told by the kernel when a file is renamed into the directory.
class RenameWatch {
 public:
  explicit RenameWatch(const std::string& directory) : fd_(::inotify_init1(IN_CLOEXEC)) {
    ::inotify_add_watch(fd_, directory.c_str(), IN_MOVED_TO);
  }
  ~RenameWatch() { ::close(fd_); }
  RenameWatch(const RenameWatch&) = delete;
  RenameWatch& operator=(const RenameWatch&) = delete;

  bool Wait(int timeout_ms) {
    pollfd entry = {fd_, POLLIN, 0};
    return ::poll(&entry, 1, timeout_ms) == 1;
  }

 private:
  int fd_;
};

std::string TextOf(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

absl::StatusOr<std::string> EndpointIn(const std::string& ready_file) {
  boost::system::error_code error;
  const boost::json::value ready = boost::json::parse(TextOf(ready_file), error);
  if (error) return absl::InternalError(StrCat(ready_file, ": ", error.message()));
  return std::string(ready.at("listen").at(0).as_string());
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Run(const std::vector<std::string>& arguments,
                                               const std::string& log_file,
                                               const std::vector<int>& cpus) {
  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const auto exec = [&] {
    const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  };
  ASSIGN_OR_RETURN(const int pid, Fork(exec, cpus));
  return ChildProcess(pid);
}

absl::StatusOr<ChildProcess> ChildProcess::Call(const std::function<void()>& function,
                                                const std::vector<int>& cpus) {
  ASSIGN_OR_RETURN(const int pid, Fork(function, cpus));
  return ChildProcess(pid);
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::FreeThreads(std::string_view bound, const std::vector<int>& cpus) const {
  std::error_code gone;  // a thread may end meanwhile
  for (const auto& task :
       std::filesystem::directory_iterator(StrCat("/proc/", pid_, "/task"), gone)) {
    std::ifstream in(task.path() / "comm");
    std::string name;
    std::getline(in, name);
    if (!name.starts_with(bound)) RunThreadOnCpus(std::stoi(task.path().filename()), cpus);
  }
}

bool ChildProcess::running() const {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

absl::Status ChildProcess::Stop() {
  ::kill(pid_, SIGTERM);
  return Wait();
}

absl::Status ChildProcess::Wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(StrCat("the program ended with wait status ", status));
}

// Fields 14 and 15 of /proc/PID/stat, counted behind the name, which may hold anything.
double ChildProcess::cpu_seconds() const {
  std::ifstream in(StrCat("/proc/", pid_, "/stat"));
  std::string line;
  std::getline(in, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// The first field of each thread's schedstat, in ns.
double ChildProcess::living_threads_seconds() const {
  double ns = 0;
  std::error_code ended;
  const std::string tasks = StrCat("/proc/", pid_, "/task");
  for (const auto& task : std::filesystem::directory_iterator(tasks, ended)) {
    double of_thread = 0;
    std::ifstream(task.path() / "schedstat") >> of_thread;
    ns += of_thread;
  }
  return ns / 1e9;
}

uint64_t ChildProcess::resident_bytes() const {
  std::ifstream in(StrCat("/proc/", pid_, "/statm"));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  in >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

absl::StatusOr<ServerProcess> StartServer(const ServerArguments& server, const std::string& run_dir,
                                          const std::vector<int>& cpus) {
  const std::string ready_file = run_dir + "/ready.json";
  std::error_code ignored;
  std::filesystem::remove(ready_file, ignored);  // of a server before this one
  const std::string log_file = run_dir + "/server.log";
  std::vector<std::string> arguments = {server.program, "--listen",      "127.0.0.1:0",
                                        "--data-dir",   server.data_dir, "--ready-file",
                                        ready_file,     "--shards",      StrCat(server.shards)};
  arguments.insert(arguments.end(), server.more.begin(), server.more.end());
  RenameWatch watch(run_dir);
  ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Run(arguments, log_file, cpus));
  for (int waited_ms = 0; !std::filesystem::exists(ready_file); waited_ms += kLookMs) {
    if (!process.running() || waited_ms > kStartTimeoutMs) {
      return absl::UnavailableError(StrCat(
          "'", server.program, "' did not start (see --server, --data-dir): ", TextOf(log_file)));
    }
    watch.Wait(kLookMs);
  }
  ASSIGN_OR_RETURN(std::string endpoint, EndpointIn(ready_file));
  return ServerProcess{std::move(process), std::move(endpoint)};
}

}  // namespace rowhouse
