#include "common/config.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>

#include "common/text.h"
#include "glog/logging.h"

namespace rowhouse {
namespace {

template <typename T>
bool ParseWhole(const std::string& word, T* value) {
  const char* end = word.data() + word.size();
  auto [rest, error] = std::from_chars(word.data(), end, *value);
  return error == std::errc() && rest == end;
}

template <typename T>
std::string NumberText(T value) {
  char text[64];
  auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}

template <typename T>
std::string BoundsText(Bounds<T> bounds) {
  const bool open_above = bounds.max >= std::numeric_limits<T>::max();
  if (open_above) return StrCat("at least ", NumberText(bounds.min));
  return StrCat(NumberText(bounds.min), " to ", NumberText(bounds.max));
}

template <typename T>
bool Within(T value, Bounds<T> bounds) {
  return value >= bounds.min && value <= bounds.max;  // false for NaN
}

std::string WithUnit(std::string text, const std::string& unit) {
  return unit.empty() ? text : StrCat(text, " ", unit);
}

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined += separator;
    joined += word;
  }
  return joined;
}

// Levenshtein's distance.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string FlagOf(std::string_view name) {
  std::string flag = StrCat("--", name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

void Settings::Section(std::string name, std::string title) {
  section_ = std::move(name);
  title_ = std::move(title);
}

template <typename T>
void Settings::AddInteger(std::string name, T* target, Bounds<T> bounds, std::string unit,
                          std::string help) {
  CHECK(Within(*target, bounds)) << "default of " << name << " is out of bounds";
  Add({.name = std::move(name),
       .kind = Kind::kInteger,
       .placeholder = "N",
       .expected = WithUnit(StrCat("a whole number, ", BoundsText(bounds)), unit),
       .default_text = NumberText(*target),
       .help = std::move(help),
       .set = [target, bounds](const std::vector<std::string>& words) {
         T value;
         if (!ParseWhole(words[0], &value) || !Within(value, bounds)) return false;
         *target = value;
         return true;
       }});
}

void Settings::Integer(std::string name, uint64_t* target, Bounds<uint64_t> bounds,
                       std::string unit, std::string help) {
  AddInteger(std::move(name), target, bounds, std::move(unit), std::move(help));
}

void Settings::Integer(std::string name, uint32_t* target, Bounds<uint32_t> bounds,
                       std::string unit, std::string help) {
  AddInteger(std::move(name), target, bounds, std::move(unit), std::move(help));
}

void Settings::OptionalInteger(std::string name, std::optional<uint32_t>* target,
                               Bounds<uint32_t> bounds, std::string unit, std::string help) {
  CHECK(!*target || Within(**target, bounds)) << "default of " << name << " is out of bounds";
  Add({.name = std::move(name),
       .kind = Kind::kInteger,
       .placeholder = "N",
       .expected =
           StrCat(WithUnit(StrCat("a whole number, ", BoundsText(bounds)), unit), ", or none"),
       .default_text = *target ? NumberText(**target) : "none",
       .help = std::move(help),
       .set = [target, bounds](const std::vector<std::string>& words) {
         if (words[0] == "none") {
           target->reset();
           return true;
         }
         uint32_t value;
         if (!ParseWhole(words[0], &value) || !Within(value, bounds)) return false;
         *target = value;
         return true;
       }});
}

void Settings::Number(std::string name, double* target, Bounds<double> bounds, std::string unit,
                      std::string help) {
  CHECK(Within(*target, bounds)) << "default of " << name << " is out of bounds";
  Add({.name = std::move(name),
       .kind = Kind::kNumber,
       .placeholder = "X",
       .expected = WithUnit(StrCat("a number, ", BoundsText(bounds)), unit),
       .default_text = NumberText(*target),
       .help = std::move(help),
       .set = [target, bounds](const std::vector<std::string>& words) {
         double value;
         if (!ParseWhole(words[0], &value) || !Within(value, bounds)) return false;
         *target = value;
         return true;
       }});
}

void Settings::Switch(std::string name, bool* target, std::string help) {
  Add({.name = std::move(name),
       .kind = Kind::kSwitch,
       .placeholder = "",
       .expected = "true or false",
       .default_text = *target ? "true" : "false",
       .help = std::move(help),
       .set = [target](const std::vector<std::string>& words) {
         if (words[0] != "true" && words[0] != "false") return false;
         *target = words[0] == "true";
         return true;
       }});
}

void Settings::Text(std::string name, std::string* target, std::string placeholder,
                    std::string help) {
  Add({.name = std::move(name),
       .kind = Kind::kText,
       .placeholder = placeholder,
       .expected = StrCat("text (", placeholder, ")"),
       .default_text = *target,
       .help = std::move(help),
       .set = [target](const std::vector<std::string>& words) {
         *target = words[0];
         return true;
       }});
}

void Settings::TextList(std::string name, std::vector<std::string>* target, std::string placeholder,
                        std::string help) {
  AddList(Kind::kList, std::move(name), target, StrCat(placeholder, ",..."), std::move(help));
}

void Settings::RepeatedText(std::string name, std::vector<std::string>* target,
                            std::string placeholder, std::string help) {
  AddList(Kind::kRepeated, std::move(name), target, std::move(placeholder), std::move(help));
}

void Settings::AddList(Kind kind, std::string name, std::vector<std::string>* target,
                       std::string placeholder, std::string help) {
  Add({.name = std::move(name),
       .kind = kind,
       .placeholder = placeholder,
       .expected = StrCat("a list of text (", placeholder, ")"),
       .default_text = Join(*target, ","),
       .help = std::move(help),
       .set = [target](const std::vector<std::string>& words) {
         const bool has_empty = std::find(words.begin(), words.end(), "") != words.end();
         if (!has_empty) *target = words;
         return !has_empty;
       }});
}

void Settings::AddChoice(std::string name, std::vector<std::string> words, size_t default_index,
                         std::function<void(size_t)> choose, std::string help) {
  Add({.name = std::move(name),
       .kind = Kind::kText,
       .placeholder = Join(words, "|"),
       .expected = StrCat("one of ", Join(words, ", ")),
       .default_text = words[default_index],
       .help = std::move(help),
       .set = [words, choose = std::move(choose)](const std::vector<std::string>& given) {
         const auto found = std::find(words.begin(), words.end(), given[0]);
         if (found == words.end()) return false;
         choose(found - words.begin());
         return true;
       }});
}

void Settings::Add(Setting setting) {
  CHECK(Find(setting.name) == nullptr) << "setting " << setting.name << " is bound twice";
  setting.section = section_;
  setting.title = title_;
  settings_.push_back(std::move(setting));
}

Settings::Setting* Settings::Find(std::string_view name) {
  for (Setting& setting : settings_) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

bool Settings::HasSection(std::string_view name) const {
  return std::any_of(settings_.begin(), settings_.end(),
                     [&](const Setting& setting) { return setting.section == name; });
}

bool Settings::IsGiven(std::string_view name) const {
  const Setting* setting = const_cast<Settings*>(this)->Find(name);
  CHECK(setting != nullptr) << "no setting " << name;
  return setting->given;
}

std::string Settings::Suggestion(std::string_view name, bool as_flag) const {
  size_t least = 4;  // a name further away than this is another name
  const Setting* nearest = nullptr;
  for (const Setting& setting : settings_) {
    const size_t distance =
        EditDistance(name.substr(0, 64), as_flag ? FlagOf(setting.name) : setting.name);
    if (distance >= std::min(least, setting.name.size())) continue;
    least = distance;
    nearest = &setting;
  }
  if (nearest == nullptr) return "";
  return StrCat("; did you mean ", as_flag ? FlagOf(nearest->name) : nearest->name, "?");
}

absl::Status Settings::Assign(Setting& setting, const std::vector<std::string>& words,
                              std::string_view where, std::string_view shown) {
  if (setting.set(words)) {
    setting.given = true;
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat(where, " is ", shown, ", expected ", setting.expected));
}

}  // namespace rowhouse
