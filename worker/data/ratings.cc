#include "worker/data/ratings.h"

#include <cmath>

#include "common/status_macros.h"
#include "common/text.h"
#include "worker/data/lines.h"

namespace rowhouse {
namespace {

constexpr std::string_view kCsvHeader = "userId,movieId,rating,timestamp";
// Beyond any rating scale, and far below what an optimizer step can bear.
constexpr float kRatingAbsMax = 1e6f;

RatingsFormat FormatOf(std::string_view first_line) {
  if (first_line.find("::") != std::string_view::npos) return RatingsFormat::kRatingsDat;
  if (first_line.find('\t') != std::string_view::npos) return RatingsFormat::kUData;
  if (first_line.find(',') != std::string_view::npos) return RatingsFormat::kRatingsCsv;
  return RatingsFormat::kAuto;
}

std::string_view SeparatorOf(RatingsFormat format) {
  switch (format) {
    case RatingsFormat::kRatingsDat:
      return "::";
    case RatingsFormat::kRatingsCsv:
      return ",";
    default:
      return "\t";
  }
}

// nullptr where the line is a rating, else what is wrong with it.
const char* ParseRating(std::string_view line, std::string_view separator, Rating* rating) {
  uint64_t user, item;
  float value;
  int64_t timestamp;
  if (!ParseNumber(TakeField(&line, separator), &user)) return "the user id is not a number";
  if (!ParseNumber(TakeField(&line, separator), &item)) return "the item id is not a number";
  const std::string_view value_text = TakeField(&line, separator);
  if (!ParseNumber(value_text, &value)) return "the rating is not a number";
  if (!(std::fabs(value) <= kRatingAbsMax)) return "the rating is out of range";
  if (!ParseNumber(line, &timestamp)) return "the timestamp is not a number";
  *rating = {Key(user), Key(item), value};
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<Rating>> ParseRatings(std::string_view text, std::string_view file,
                                                 RatingsFormat format) {
  Lines lines(text, file);
  std::string_view line;
  std::vector<Rating> ratings;
  while (lines.Next(&line)) {
    if (format == RatingsFormat::kAuto) format = FormatOf(line);
    if (format == RatingsFormat::kAuto) {
      return lines.Error("not a rating in one of the formats u.data, ratings.dat, ratings.csv");
    }
    if (format == RatingsFormat::kRatingsCsv && lines.number() == 1) {
      if (line != kCsvHeader) return lines.Error(StrCat("the header is not ", kCsvHeader));
      continue;
    }
    const char* problem = ParseRating(line, SeparatorOf(format), &ratings.emplace_back());
    if (problem != nullptr) return lines.Error(problem);
  }
  if (ratings.empty()) return absl::InvalidArgumentError(StrCat(file, ": no ratings in this file"));
  return ratings;
}

absl::StatusOr<std::vector<Rating>> ReadRatings(const std::string& path, RatingsFormat format) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseRatings(text, path, format);
}

}  // namespace rowhouse
