// Settings from a TOML file.
#include <toml++/toml.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

std::string ShortestText(double value) {
  char text[64];
  auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

// The value as it would stand on a command line; false for what no setting can be.
bool WordOf(const toml::node& node, std::string* word) {
  if (auto text = node.as_string()) {
    *word = text->get();
  } else if (auto integer = node.as_integer()) {
    *word = std::to_string(integer->get());
  } else if (auto number = node.as_floating_point()) {
    *word = ShortestText(number->get());
  } else if (auto truth = node.as_boolean()) {
    *word = truth->get() ? "true" : "false";
  } else {
    return false;
  }
  return true;
}

// For messages: TOML again, cut where it is long.
std::string Shown(const toml::node& node) {
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  constexpr size_t kShownMax = 80;
  std::string shown = text.str();
  return shown.size() <= kShownMax ? shown : shown.substr(0, kShownMax) + "...";
}

}  // namespace

// Walks one parsed file and assigns what it holds.
class TomlLoader {
 public:
  TomlLoader(Settings& settings, std::string_view file) : settings_(settings), file_(file) {}

  absl::Status Load(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (const toml::table* section = node.as_table()) {
        RETURN_IF_ERROR(LoadSection(key, *section));
      } else {
        RETURN_IF_ERROR(LoadKey("", key, node));
      }
    }
    return absl::OkStatus();
  }

 private:
  using Kind = Settings::Kind;

  absl::Status LoadSection(const toml::key& name, const toml::table& section) {
    if (!settings_.HasSection(name.str())) {
      return absl::InvalidArgumentError(
          StrCat(At(name.source()), "unknown section [", name.str(), "]"));
    }
    for (const auto& [key, node] : section) RETURN_IF_ERROR(LoadKey(name.str(), key, node));
    return absl::OkStatus();
  }

  absl::Status LoadKey(std::string_view section, const toml::key& key, const toml::node& node) {
    Settings::Setting* setting = settings_.Find(key.str());
    const bool known = setting && (section.empty() || setting->section == section);
    if (!known) {
      return absl::InvalidArgumentError(
          StrCat(At(key.source()), "unknown key ", key.str(),
                 section.empty() ? std::string() : StrCat(" in [", section, "]"),
                 Elsewhere(setting, key.str())));
    }
    std::vector<std::string> words;
    const std::string where = StrCat(At(key.source()), key.str());
    if (!WordsOf(*setting, node, &words)) {
      return absl::InvalidArgumentError(
          StrCat(where, " is ", Shown(node), ", expected ", setting->expected));
    }
    return Settings::Assign(*setting, words, where, Shown(node));
  }

  std::string Elsewhere(const Settings::Setting* setting, std::string_view name) const {
    if (setting != nullptr) return StrCat("; it belongs in [", setting->section, "]");
    return settings_.Suggestion(name, /*as_flag=*/false);
  }

  static bool TypeFits(const Settings::Setting& setting, const toml::node& node) {
    switch (setting.kind) {
      case Kind::kInteger:
        return node.is_integer() || node.is_string();  // a string can be 'none'
      case Kind::kNumber:
        return node.is_number();
      case Kind::kSwitch:
        return node.is_boolean();
      case Kind::kText:
      case Kind::kList:
      case Kind::kRepeated:
        return node.is_string();
    }
    return false;
  }

  static bool WordsOf(const Settings::Setting& setting, const toml::node& node,
                      std::vector<std::string>* words) {
    if (const toml::array* array = node.as_array()) {
      if (setting.kind != Kind::kList && setting.kind != Kind::kRepeated) return false;
      for (const toml::node& element : *array) {
        if (!element.is_string() || !WordOf(element, &words->emplace_back())) return false;
      }
      return true;
    }
    if (setting.kind == Kind::kInteger && node.is_string()) {
      words->push_back(node.as_string()->get());
      return words->back() == "none";
    }
    return TypeFits(setting, node) && WordOf(node, &words->emplace_back());
  }

  std::string At(const toml::source_region& source) const {
    return StrCat(file_, ":", source.begin.line, ": ");
  }

  Settings& settings_;
  std::string_view file_;
};

absl::Status Settings::LoadToml(std::string_view text, std::string_view file) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        StrCat(file, ":", error.source().begin.line, ": not TOML: ", error.description()));
  }
  return TomlLoader(*this, file).Load(root);
}

absl::Status Settings::LoadTomlFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    return absl::NotFoundError(StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return LoadToml(text.str(), path);
}

}  // namespace rowhouse
