"""deploy/quickstart from start to end, on ratings that it makes itself."""

import json
import re

from support import QuickstartCase, main

KEYS = (
    "rmse", "rmse_global_mean", "rmse_bias_only", "train_seconds", "examples_per_second",
    "servers", "workers", "shards", "folds", "data", "restarts",
)


class Generated(QuickstartCase):
    def run_on(self, *flags):
        figures, output = self.succeed("--generated", *flags)
        for key in KEYS:
            self.assertIn(key, figures)
        self.assertIn(f"{figures['rmse']:.4f}", output)
        self.assertIn(f"{figures['rmse_global_mean']:.4f}", output)
        self.assertIn(f"{figures['rmse_bias_only']:.4f}", output)
        self.assertLess(figures["rmse"], figures["rmse_bias_only"])
        self.assertLess(figures["rmse_bias_only"], figures["rmse_global_mean"])
        return figures, output

    def assert_near_the_best(self, figures):
        self.assertGreater(figures["rmse"], figures["best_rmse"])
        self.assertLess(figures["rmse"], figures["best_rmse"] * 1.11)

    def test_one_server_one_worker(self):
        figures, output = self.run_on("--servers", "1", "--workers", "1")
        self.assert_near_the_best(figures)
        self.assertEqual((figures["servers"], figures["workers"], figures["restarts"]), (1, 1, 0))
        self.assertEqual(len(re.findall(r"^    -?\d\.\d\d  ", output, re.MULTILINE)), 30, output)

    def test_two_servers_two_workers_of_two_shards(self):
        figures, _ = self.run_on("--servers", "2", "--workers", "2", "--shards", "2")
        self.assert_near_the_best(figures)
        self.assertEqual((figures["servers"], figures["workers"], figures["shards"]), (2, 2, 2))
        servers = self.status()["servers"]
        self.assertEqual([server["shards"] for server in servers], [[0, 1], [2, 3]])

    def test_starts_again_on_trained_tables(self):
        first, output = self.run_on("--epochs", "3")
        self.assertIn(f"--resume {self.work_dir}", output)
        again, _ = self.succeed("--resume", self.work_dir, work_dir=False)
        self.assertEqual(again["rmse"], first["rmse"])

    def test_trains_on_where_it_was(self):
        first, _ = self.run_on("--epochs", "2")
        more, _ = self.succeed("--resume", self.work_dir, "--epochs", "4", work_dir=False)
        self.assertEqual(more["epochs"], 6)
        self.assertLess(more["rmse"], first["rmse"])
        self.assertEqual(json.loads((self.work_dir / "job.json").read_text())["epochs"], 6)


class Refusals(QuickstartCase):
    def refused(self, exit_code, message, *flags, **options):
        code, output = self.finish(self.quickstart(*flags, **options))
        self.assertEqual(code, exit_code, output)
        self.assertIn(message, output)
        self.assertNotIn("Traceback", output)
        self.assert_none_left()

    def test_fold_out_of_range(self):
        self.refused(2, "--fold 5 is not one of the 5 folds", "--fold", "5")

    def test_data_that_is_not_there(self):
        self.refused(1, "there are no ratings", "--data", self.folder / "nowhere")

    def test_work_dir_in_use(self):
        self.work_dir.mkdir()
        (self.work_dir / "mine").touch()
        self.refused(1, "is not empty", "--generated")

    def test_resume_of_nothing(self):
        self.refused(1, "no job.json", "--resume", self.folder, work_dir=False)

    def test_malformed_ratings_name_file_and_line(self):
        ratings = self.folder / "u.data"
        ratings.write_text("1\t1\t3\t0\n1\tx\t3\t0\n")
        self.refused(1, "u.data:2", "--data", ratings)


if __name__ == "__main__":
    main()
