// The settings of one program: each is bound once, to a field of the struct that uses it, with
// unit, bounds and help; values come from the defaults in the struct, then a TOML file (--config
// FILE), then command-line flags, the later ones winning.
//
//   ServerOptions server;
//   Settings settings;
//   settings.Section("server", "Server");
//   settings.Integer("frame_bytes_max", &server.frame_bytes_max, {4096, 1 << 30}, "bytes",
//                    "Largest frame that is accepted");
//   settings.Choice("durability", &server.durability,
//                   {{"memory", Durability::kMemory}, {"log", Durability::kLog}}, "What a push
//                   waits for");
//   auto parsed = settings.ParseCommandLine(argc, argv, program);
//   if (!parsed.ok()) -> message to stderr, exit code 2
//   if (parsed->answer) -> print it, exit code 0 (--help or --version)
//
// `frame_bytes_max` is the key in the file, in section [server] or before any section, and
// --frame-bytes-max the flag. Flags: `--name value`, `--name=value`; a switch is `--json` or
// `--json=false`; a list is repeated or separated by commas.
//
// Threading: none; used before threads start.
// Ownership: targets belong to the caller and outlive the Settings; they change only in Load and
//   Parse calls.
// Errors: an unknown key or flag, a wrong type, a value out of bounds: the message names file and
//   line or the flag, the value, the bounds and the unit. After an error targets may be half set.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

template <typename T>
struct Bounds {
  T min;
  T max;
};

// What --help and --version say of a program.
struct Program {
  std::string name;
  std::string version;
  std::string summary;
  // Words that may stand before the flags, each with its help; the first is the default.
  std::vector<std::pair<std::string, std::string>> commands;
  std::vector<std::string> examples;
};

struct ParsedCommandLine {
  std::string command;                // empty where the program has no commands
  std::optional<std::string> answer;  // to be printed instead of running: help or version
};

class Settings {
 public:
  // Settings bound from here on belong to this section of the file and are shown under `title`.
  void Section(std::string name, std::string title);

  // REQUIRES: names are unique; the field's present value, which is the default, is within bounds.
  void Integer(std::string name, uint64_t* target, Bounds<uint64_t> bounds, std::string unit,
               std::string help);
  void Integer(std::string name, uint32_t* target, Bounds<uint32_t> bounds, std::string unit,
               std::string help);
  // Like the others, except that 'none' stands for no value.
  void OptionalInteger(std::string name, std::optional<uint32_t>* target, Bounds<uint32_t> bounds,
                       std::string unit, std::string help);
  void Number(std::string name, double* target, Bounds<double> bounds, std::string unit,
              std::string help);
  void Switch(std::string name, bool* target, std::string help);
  // `placeholder` stands for the value in --help: FILE, HOST:PORT.
  void Text(std::string name, std::string* target, std::string placeholder, std::string help);
  void TextList(std::string name, std::vector<std::string>* target, std::string placeholder,
                std::string help);
  // Texts that may hold commas: only repeating the flag makes a list of several.
  void RepeatedText(std::string name, std::vector<std::string>* target, std::string placeholder,
                    std::string help);
  template <typename T>
  void Choice(std::string name, T* target, std::initializer_list<std::pair<const char*, T>> choices,
              std::string help);

  // `file` names the text in messages.
  absl::Status LoadToml(std::string_view text, std::string_view file);
  absl::Status LoadTomlFile(const std::string& path);
  absl::StatusOr<ParsedCommandLine> ParseCommandLine(int argc, const char* const* argv,
                                                     const Program& program);
  std::string Help(const Program& program) const;

  // Whether a file or a flag has given the setting.
  bool IsGiven(std::string_view name) const;

 private:
  friend class TomlLoader;
  friend class FlagParser;

  enum class Kind { kInteger, kNumber, kSwitch, kText, kList, kRepeated };
  struct Setting {
    std::string name;
    std::string section;
    std::string title;
    Kind kind;
    std::string placeholder;
    std::string expected;      // "a whole number, 1 to 8192 floats"
    std::string default_text;  // as it would be written on the command line
    std::string help;
    std::function<bool(const std::vector<std::string>& words)> set;  // false: not as expected
    bool given = false;
  };

  void AddList(Kind kind, std::string name, std::vector<std::string>* target,
               std::string placeholder, std::string help);
  template <typename T>
  void AddInteger(std::string name, T* target, Bounds<T> bounds, std::string unit,
                  std::string help);
  void AddChoice(std::string name, std::vector<std::string> words, size_t default_index,
                 std::function<void(size_t)> choose, std::string help);
  void Add(Setting setting);
  Setting* Find(std::string_view name);
  bool HasSection(std::string_view name) const;
  // "; did you mean 'dim'?", or nothing where no name is near.
  std::string Suggestion(std::string_view name, bool as_flag) const;
  static absl::Status Assign(Setting& setting, const std::vector<std::string>& words,
                             std::string_view where, std::string_view shown);

  std::vector<Setting> settings_;
  std::string section_;
  std::string title_ = "Settings";
};

template <typename T>
void Settings::Choice(std::string name, T* target,
                      std::initializer_list<std::pair<const char*, T>> choices, std::string help) {
  std::vector<std::string> words;
  std::vector<T> values;
  size_t default_index = 0;
  for (const auto& [word, value] : choices) {
    if (value == *target) default_index = values.size();
    words.emplace_back(word);
    values.push_back(value);
  }
  AddChoice(
      std::move(name), std::move(words), default_index,
      [target, values](size_t index) { *target = values[index]; }, std::move(help));
}

// --frame-bytes-max for frame_bytes_max.
std::string FlagOf(std::string_view name);

}  // namespace rowhouse
