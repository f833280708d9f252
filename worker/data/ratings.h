// Ratings in the formats of MovieLens.
//
//   u.data        user <tab> item <tab> rating <tab> timestamp
//   ratings.dat   user::item::rating::timestamp
//   ratings.csv   userId,movieId,rating,timestamp, under a header of just these names
//
// Ids are any 64-bit numbers; ratings any decimal numbers; timestamps are checked and dropped.
// Lines end in LF or CRLF.
//
// Threading: pure functions.
// Errors: a malformed line is refused with file, line number and the text of the line.
// Cost: the file is read whole; 24 bytes a rating beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"

namespace rowhouse {

struct Rating {
  Key user;
  Key item;
  float value = 0;

  bool operator==(const Rating&) const = default;
};

// kAuto: told from the first line.
enum class RatingsFormat { kAuto, kUData, kRatingsDat, kRatingsCsv };

// `file` names the text in messages.
absl::StatusOr<std::vector<Rating>> ParseRatings(std::string_view text, std::string_view file,
                                                 RatingsFormat format = RatingsFormat::kAuto);
absl::StatusOr<std::vector<Rating>> ReadRatings(const std::string& path,
                                                RatingsFormat format = RatingsFormat::kAuto);

}  // namespace rowhouse
