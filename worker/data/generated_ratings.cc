#include "worker/data/generated_ratings.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "common/status_macros.h"
#include "common/text.h"
#include "glog/logging.h"
#include "worker/data/folds.h"
#include "worker/random.h"

namespace rowhouse {
namespace {

constexpr int kRatingMin = 1;
constexpr int kRatingMax = 5;
constexpr const char* kGenres[] = {"Western", "Space Opera", "Court Drama", "Heist",
                                   "Musical", "Ghost Story", "Slapstick",   "Road Movie",
                                   "Romance", "Spy Thriller"};
constexpr size_t kGenreCount = std::size(kGenres);
// Share of the variance of an item's factors that comes from its genre.
constexpr double kGenreShare = 0.7;

// The model that the ratings are drawn from.
class TrueModel {
 public:
  TrueModel(const GeneratorOptions& options, Random& random) : options_(options) {
    // The product of two independent factors of dim d and deviation s has deviation s^2 sqrt(d).
    const double s = std::sqrt(options.factor_stddev / std::sqrt(double(options.dim)));
    user_bias_ = Normals(options.users, options.user_bias_stddev, random);
    item_bias_ = Normals(options.items, options.item_bias_stddev, random);
    user_factors_ = Normals(size_t{options.users} * options.dim, s, random);
    item_factors_ =
        Normals(size_t{options.items} * options.dim, s * std::sqrt(1 - kGenreShare), random);
    const auto genres = Normals(kGenreCount * options.dim, s * std::sqrt(kGenreShare), random);
    for (size_t i = 0; i < item_factors_.size(); ++i) {
      item_factors_[i] += genres[i % (kGenreCount * options.dim)];
    }
  }

  double Value(uint32_t user, uint32_t item) const {
    const double* p = &user_factors_[size_t{user} * options_.dim];
    const double* q = &item_factors_[size_t{item} * options_.dim];
    return options_.mean + user_bias_[user] + item_bias_[item] +
           std::inner_product(p, p + options_.dim, q, 0.0);
  }

 private:
  static std::vector<double> Normals(size_t count, double stddev, Random& random) {
    std::vector<double> values(count);
    for (double& value : values) value = stddev * random.Normal();
    return values;
  }

  const GeneratorOptions& options_;
  std::vector<double> user_bias_, item_bias_, user_factors_, item_factors_;
};

// Draws 0..count-1, with weights that fall like a power of the rank: some are popular, most not.
class PowerLaw {
 public:
  PowerLaw(uint32_t count, double exponent, Random& random) : cumulated_(count) {
    std::vector<double> weights(count);
    for (uint32_t i = 0; i < count; ++i) weights[i] = std::pow(i + 10.0, -exponent);
    for (uint32_t i = count - 1; i > 0; --i) std::swap(weights[i], weights[random.Below(i + 1)]);
    std::partial_sum(weights.begin(), weights.end(), cumulated_.begin());
  }

  uint32_t Draw(Random& random) const {
    const double at = random.Unit() * cumulated_.back();
    return std::lower_bound(cumulated_.begin(), cumulated_.end(), at) - cumulated_.begin();
  }

 private:
  std::vector<double> cumulated_;
};

// Distinct (user, item) pairs.
std::vector<std::pair<uint32_t, uint32_t>> DrawPairs(const GeneratorOptions& options,
                                                     Random& random) {
  const PowerLaw users(options.users, 0.7, random);
  const PowerLaw items(options.items, 0.9, random);
  std::vector<bool> taken(size_t{options.users} * options.items);
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  while (pairs.size() < options.ratings) {
    const uint32_t user = users.Draw(random);
    const uint32_t item = items.Draw(random);
    std::vector<bool>::reference is_taken = taken[size_t{user} * options.items + item];
    if (is_taken) continue;
    is_taken = true;
    pairs.emplace_back(user, item);
  }
  return pairs;
}

std::vector<ItemTitle> MakeTitles(uint32_t items) {
  std::vector<ItemTitle> titles;
  for (uint32_t i = 0; i < items; ++i) {
    titles.push_back({Key(i + 1), StrCat(kGenres[i % kGenreCount], " ", i / kGenreCount + 1)});
  }
  return titles;
}

// Root mean square error of the best prediction on each fold.
std::vector<double> BestRmse(const std::vector<Rating>& ratings, const std::vector<double>& best,
                             uint32_t folds) {
  const std::vector<uint32_t> fold_of = FoldsOfLines(ratings.size(), folds);
  std::vector<double> squares(folds);
  std::vector<uint64_t> counts(folds);
  for (size_t i = 0; i < ratings.size(); ++i) {
    squares[fold_of[i]] += std::pow(ratings[i].value - best[i], 2);
    ++counts[fold_of[i]];
  }
  for (uint32_t fold = 0; fold < folds; ++fold) {
    squares[fold] = std::sqrt(squares[fold] / std::max<uint64_t>(counts[fold], 1));
  }
  return squares;
}

// Under a temporary name first, so that an interrupted run leaves no half a file.
absl::Status WriteFile(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".part";
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

std::string UData(const std::vector<Rating>& ratings) {
  constexpr uint64_t kFirstTimestamp = 874724710;
  std::string text;
  for (size_t i = 0; i < ratings.size(); ++i) {
    text += StrCat(ratings[i].user.value(), "\t", ratings[i].item.value(), "\t",
                   static_cast<int>(ratings[i].value), "\t", kFirstTimestamp + i, "\n");
  }
  return text;
}

std::string UItem(const std::vector<ItemTitle>& titles) {
  std::string flags;
  for (int i = 0; i < 19; ++i) flags += "|0";
  std::string text;
  for (const ItemTitle& title : titles) {
    text += StrCat(title.item.value(), "|", title.title, "|01-Jan-1998||", flags, "\n");
  }
  return text;
}

}  // namespace

double ExpectedRating(double t, double noise_stddev) {
  // sum of P(rating > r) for r below the maximum, above the minimum.
  double expected = kRatingMin;
  for (int r = kRatingMin; r < kRatingMax; ++r) {
    expected += 0.5 * std::erfc((r + 0.5 - t) / (noise_stddev * std::numbers::sqrt2));
  }
  return expected;
}

GeneratedRatings GenerateRatings(const GeneratorOptions& options) {
  CHECK_LE(options.ratings, uint64_t{options.users} * options.items / 2) << "too dense";
  Random random(options.seed);
  const TrueModel model(options, random);
  GeneratedRatings generated;
  std::vector<double> best;
  for (const auto& [user, item] : DrawPairs(options, random)) {
    const double t = model.Value(user, item);
    const double rounded = std::floor(t + options.noise_stddev * random.Normal() + 0.5);
    const double rating = std::clamp<double>(rounded, kRatingMin, kRatingMax);
    generated.ratings.push_back({Key(user + 1), Key(item + 1), static_cast<float>(rating)});
    best.push_back(ExpectedRating(t, options.noise_stddev));
  }
  generated.titles = MakeTitles(options.items);
  generated.best_rmse = BestRmse(generated.ratings, best, options.folds);
  return generated;
}

std::string GeneratedJson(const GeneratorOptions& options, const GeneratedRatings& generated) {
  const auto& best = generated.best_rmse;
  const double mean = std::accumulate(best.begin(), best.end(), 0.0) / best.size();
  return boost::json::serialize(
      boost::json::object{{"generator", "rowhouse-worker generate"},
                          {"seed", options.seed},
                          {"users", options.users},
                          {"items", options.items},
                          {"ratings", generated.ratings.size()},
                          {"dim", options.dim},
                          {"noise_stddev", options.noise_stddev},
                          {"folds", options.folds},
                          {"best_rmse", mean},
                          {"best_rmse_per_fold", boost::json::value_from(best)}});
}

absl::Status WriteGenerated(const GeneratorOptions& options, const GeneratedRatings& generated,
                            const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::UnavailableError(
        StrCat("cannot make directory ", directory, ": ", error.message()));
  }
  RETURN_IF_ERROR(WriteFile(directory + "/u.data", UData(generated.ratings)));
  RETURN_IF_ERROR(WriteFile(directory + "/u.item", UItem(generated.titles)));
  return WriteFile(directory + "/generated.json", GeneratedJson(options, generated) + "\n");
}

}  // namespace rowhouse
