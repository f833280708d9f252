
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/data/generated_ratings.h"

namespace rowhouse {

absl::Status RunGenerate(const WorkerOptions& options) {
  GeneratorOptions generator;
  generator.seed = options.seed;
  generator.folds = options.folds;
  const GeneratedRatings generated = GenerateRatings(generator);
  const std::string& directory = options.out_directory;
  RETURN_IF_ERROR(WriteGenerated(generator, generated, directory));
  if (options.json) {
    PrintLine(GeneratedJson(generator, generated));
    return absl::OkStatus();
  }
  PrintLine(absl::StrFormat("%d ratings of %d items by %d users in %s", generated.ratings.size(),
                            generator.items, generator.users, directory));
  for (uint32_t fold = 0; fold < generator.folds; ++fold) {
    PrintLine(absl::StrFormat("  fold %d held out: no model can have an RMSE below %.4f", fold,
                              generated.best_rmse[fold]));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse
