"""The bar on real ratings: MovieLens 100K over five folds, for 1x1 and 2x2 servers and workers."""

from support import QuickstartCase, main, movielens

RMSE_MAX = 0.912
SPREAD_MAX = 0.005
GLOBAL_MEAN = 1.1257
BIAS_ONLY = 0.941


class MovieLens(QuickstartCase):
    def setUp(self):
        super().setUp()
        self.ratings = movielens()

    def mean_over_folds(self, servers, workers):
        self.work_dir = self.folder / f"work-{servers}x{workers}"
        flags = ("--data", self.ratings, "--servers", servers, "--workers", workers, "--all-folds")
        figures, output = self.succeed(*flags, seconds=500)
        self.assertEqual(len(figures["each_fold"]), 5)
        self.assertIn(f"mean                  {figures['rmse']:.4f}", output)
        self.assertAlmostEqual(figures["rmse_global_mean"], GLOBAL_MEAN, delta=0.0005)
        self.assertAlmostEqual(figures["rmse_bias_only"], BIAS_ONLY, delta=0.005)
        return figures

    def test_mean_of_five_folds(self):
        one = self.mean_over_folds(1, 1)
        two = self.mean_over_folds(2, 2)
        self.assertLessEqual(one["rmse"], RMSE_MAX)
        self.assertLessEqual(two["rmse"], RMSE_MAX)
        self.assertLess(abs(one["rmse"] - two["rmse"]) / one["rmse"], SPREAD_MAX)
        for fold in (*one["each_fold"], *two["each_fold"]):
            self.assertLess(fold["train_seconds"], 60)

    def test_finds_it_by_itself_and_names_sensible_neighbours(self):
        _, output = self.succeed("--data", self.ratings.parent.parent, seconds=180)
        self.assertIn("MovieLens 100K", output)
        self.assertIn("Empire Strikes Back, The (1980)", output)  # beside Star Wars


if __name__ == "__main__":
    main()
