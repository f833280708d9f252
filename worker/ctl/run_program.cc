#include "worker/ctl/run_program.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/text.h"

namespace rowhouse {

absl::Status BecomeProgram(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  argv.push_back(const_cast<char*>(path.c_str()));
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return absl::ErrnoToStatus(errno, StrCat("cannot run '", path, "'"));
}

absl::StatusOr<std::string> ProgramBesideThis(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return absl::UnavailableError("cannot find the folder of this program in /proc");
  const std::string path = (self.parent_path() / name).string();
  if (::access(path.c_str(), X_OK) == 0) return path;
  return absl::NotFoundError(StrCat("there is no program '", path,
                                    "': install it beside rowhousectl, or say where it is with "
                                    "--rowhouse-ps PATH"));
}

}  // namespace rowhouse
