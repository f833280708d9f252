// Settings from the command line, and the help text.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

std::vector<std::string> SplitAtCommas(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    size_t begin = 0;
    for (size_t end; (end = value.find(',', begin)) != std::string::npos; begin = end + 1) {
      words.push_back(value.substr(begin, end - begin));
    }
    words.push_back(value.substr(begin));
  }
  return words;
}

std::string Quoted(const std::string& value) { return value.empty() ? "empty" : value; }

constexpr size_t kColumns = 96;

// `text` in lines of at most kColumns, each after `indent` spaces.
std::string Wrapped(std::string_view text, size_t indent) {
  std::string lines;
  while (!text.empty()) {
    size_t length = std::min(text.size(), kColumns - indent);
    if (length < text.size()) {
      const size_t space = text.rfind(' ', length);
      if (space != std::string_view::npos && space > 0) length = space;
    }
    lines += StrCat(std::string(indent, ' '), text.substr(0, length), "\n");
    text.remove_prefix(length);
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  }
  return lines;
}

}  // namespace

// One command line: CLI11 takes it apart, values are judged by the settings.
class FlagParser {
 public:
  FlagParser(Settings& settings, const Program& program)
      : settings_(settings), program_(program), app_(program.summary, program.name) {
    app_.set_help_flag();
    app_.allow_extras();
    help_ = app_.add_flag("-h,--help");
    version_ = app_.add_flag("--version");
    config_ = app_.add_option("--config")->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    for (const Settings::Setting& setting : settings_.settings_) AddOption(setting);
  }

  absl::StatusOr<ParsedCommandLine> Parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ArgumentMismatch& error) {
      const std::string_view message = error.what();  // "--name: ..."; only too few are possible
      return Bad(StrCat("flag ", message.substr(0, message.find(':')), " needs a value"));
    } catch (const CLI::ParseError& error) {
      return Bad(error.what());
    }
    ParsedCommandLine parsed;
    if (help_->count() > 0) {
      parsed.answer = settings_.Help(program_);
    } else if (version_->count() > 0) {
      parsed.answer = StrCat(program_.name, " ", program_.version, "\n");
    } else {
      ASSIGN_OR_RETURN(parsed.command, Command());
      for (const std::string& file : config_->results()) {
        RETURN_IF_ERROR(settings_.LoadTomlFile(file));
      }
      RETURN_IF_ERROR(AssignFlags());
    }
    return parsed;
  }

 private:
  void AddOption(const Settings::Setting& setting) {
    const std::string flag = FlagOf(setting.name);
    const bool is_switch = setting.kind == Settings::Kind::kSwitch;
    CLI::Option* option = is_switch ? app_.add_flag(flag) : app_.add_option(flag);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    options_.push_back(option);
  }

  absl::Status Bad(std::string_view message) const {
    return absl::InvalidArgumentError(StrCat(message, " (", program_.name, " --help lists all)"));
  }

  // What is left after all known flags is the command, or a mistake.
  absl::StatusOr<std::string> Command() const {
    std::vector<std::string> rest = app_.remaining();
    for (const std::string& word : rest) {
      if (!word.starts_with("-")) continue;
      const std::string flag = word.substr(0, word.find('='));
      return Bad(StrCat("unknown flag ", flag, settings_.Suggestion(flag, /*as_flag=*/true)));
    }
    const auto& commands = program_.commands;
    if (rest.empty()) return commands.empty() ? std::string() : commands[0].first;
    const auto known = std::find_if(commands.begin(), commands.end(),
                                    [&](const auto& command) { return command.first == rest[0]; });
    if (known == commands.end()) return Bad(StrCat("unexpected argument ", rest[0]));
    if (rest.size() > 1) return Bad(StrCat("unexpected argument ", rest[1]));
    return rest[0];
  }

  absl::Status AssignFlags() {
    for (size_t i = 0; i < options_.size(); ++i) {
      if (options_[i]->count() > 0) {
        RETURN_IF_ERROR(AssignFlag(settings_.settings_[i], options_[i]->results()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AssignFlag(Settings::Setting& setting, const std::vector<std::string>& values) {
    const std::string where = StrCat("flag ", FlagOf(setting.name));
    if (setting.kind == Settings::Kind::kList) {
      return Settings::Assign(setting, SplitAtCommas(values), where, Quoted(values[0]));
    }
    const bool repeats = setting.kind == Settings::Kind::kRepeated;
    if (values.size() > 1 && !repeats)
      return Bad(StrCat(where, " is given ", values.size(), " times"));
    return Settings::Assign(setting, values, where, Quoted(values[0]));
  }

  Settings& settings_;
  const Program& program_;
  CLI::App app_;
  CLI::Option* help_;
  CLI::Option* version_;
  CLI::Option* config_;
  std::vector<CLI::Option*> options_;  // one for each setting
};

absl::StatusOr<ParsedCommandLine> Settings::ParseCommandLine(int argc, const char* const* argv,
                                                             const Program& program) {
  return FlagParser(*this, program).Parse(argc, argv);
}

std::string Settings::Help(const Program& program) const {
  std::string help = StrCat(program.name, " ", program.version, "\n", Wrapped(program.summary, 0));
  help +=
      StrCat("\nUsage: ", program.name, program.commands.empty() ? "" : " [command]", " [flags]\n");
  for (const auto& [word, text] : program.commands) {
    const bool is_default = word == program.commands[0].first;
    help += StrCat("\n  ", word, is_default ? " (default)" : "", "\n", Wrapped(text, 6));
  }
  if (!program.examples.empty()) help += "\nExamples:\n";
  for (const std::string& example : program.examples) help += StrCat("  ", example, "\n");
  std::string title;
  for (const Setting& setting : settings_) {
    if (setting.title != title) help += StrCat("\n", setting.title, ":\n");
    title = setting.title;
    help += StrCat("  ", FlagOf(setting.name), setting.placeholder.empty() ? "" : " ",
                   setting.placeholder, "\n", Wrapped(setting.help, 6));
    const std::string default_text = setting.default_text.empty() ? "none" : setting.default_text;
    help += Wrapped(StrCat("[", setting.expected, "; default ", default_text, "]"), 6);
  }
  help += "\nGeneral:\n  --config FILE\n";
  help += Wrapped(
      "TOML file with the same settings, named with underscores (frame_bytes_max = 1); flags win. "
      "A setting may stand before any section or in the section of its group.",
      6);
  help += "  --help, --version\n";
  return help;
}

}  // namespace rowhouse
