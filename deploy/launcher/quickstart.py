"""What deploy/quickstart does once the programs are built."""

import dataclasses
import subprocess
from pathlib import Path

from . import data, report, work_dir
from .children import Loop
from .errors import JobFailed
from .job import Job, Plan
from .status import StatusFile, write_json

PROJECT = Path(__file__).resolve().parents[2]
FIGURES = ("rmse", "rmse_global_mean", "rmse_bias_only", "train_seconds", "examples_per_second")


class Quickstart:
    """One invocation."""

    def __init__(self, options, say):
        self._options = options
        self._loop = None
        self._say = say
        self._status_file = StatusFile(options.status_file)

    def run(self):
        if self._options.resume:
            figures = self._resume(self._options.resume.absolute())
        elif self._options.all_folds:
            figures = self._all_folds()
        else:
            figures = self._one_fold()
        if self._options.json:
            write_json(self._options.json, figures)

    def _one_fold(self):
        found = self._find_data()
        directory = work_dir.create(self._options.work_dir, PROJECT)
        plan = self._plan(found or self._generate(directory / "data"), self._options.fold)
        self._say(report.describe_plan(plan))
        with self._job(plan, directory) as job:
            self._start_servers(job, plan)
            result = self._train(job, plan, directory)
            scores = self._evaluate(job, plan)
            self._nearest(job, plan)
            self._say()
            self._say(report.describe_tables(directory, job.servers))
            self._serve(job)
        return self._figures(plan, directory, scores, result)

    def _all_folds(self):
        found = self._find_data()
        directory = work_dir.create(self._options.work_dir, PROJECT)
        found = found or self._generate(directory / "data")
        rows = []
        for fold in range(self._options.folds):
            plan = self._plan(found, fold)
            self._say(report.describe_plan(plan))
            part = directory / f"fold-{fold}"
            part.mkdir()
            with self._job(plan, part) as job:
                job.start_servers()
                result = self._train(job, plan, part)
                scores = job.run_tool("evaluate")[0]
            self._say(f"RMSE      {scores['rmse']:.4f}\n")
            rows.append(self._figures(plan, part, scores, result))
        figures = report.mean_of_folds(rows, FIGURES, directory)
        self._say(report.describe_folds(figures))
        return figures

    def _resume(self, directory):
        plan = work_dir.load_plan(directory, self._options.bin_dir)
        self._say(report.describe_plan(plan))
        result = None
        with self._job(plan, directory) as job:
            self._start_servers(job, plan)
            if self._options.epochs:
                first_epoch = plan.epochs or 0
                plan.epochs = first_epoch + self._options.epochs
                result = self._train(job, plan, directory, first_epoch)
            scores = self._evaluate(job, plan)
            self._nearest(job, plan)
            self._serve(job)
        return self._figures(plan, directory, scores, result)

    def _train(self, job, plan, directory, first_epoch=0):
        work_dir.save_plan(directory, plan)
        self._say(f"training  {report.plural(plan.workers, 'worker')}")
        self._say.begin_bar()
        result = job.train(first_epoch)
        self._say.end_bar()
        self._say(report.describe_training(result))
        plan.epochs = result.epochs
        work_dir.save_plan(directory, plan)
        return result

    def _job(self, plan, directory):
        if self._loop is None:  # from here on signals are events
            self._loop = Loop(self._say if self._options.verbose else lambda _: None)
        return Job(self._loop, plan, directory, self._status_file, self._say)

    def _start_servers(self, job, plan):
        job.start_servers()
        self._say(report.describe_cluster(plan, job.endpoints))

    def _evaluate(self, job, plan):
        scores = job.run_tool("evaluate")[0]
        self._say()
        self._say(report.describe_scores(scores, plan.best_rmse))
        return scores

    def _nearest(self, job, plan):
        if plan.items is None:
            return
        answers = job.run_tool("nearest", "--items", str(plan.items))
        self._say()
        self._say(report.describe_nearest(answers))

    def _serve(self, job):
        if self._options.serve:
            self._say()
            self._say(f"Serving on {' '.join(job.endpoints)}; Ctrl-C stops.")
            job.serve()

    def _find_data(self):
        """None: ratings have to be generated."""
        options = self._options
        if options.generated:
            return None
        consent = data.Consent(options.accept_licence, data.stdin_is_a_person())
        found = data.find(options.data, consent, PROJECT, self._say)
        if not found:
            self._say("Training on generated ratings instead: figures say nothing about movies.")
        return found

    def _generate(self, folder):
        folder.mkdir()
        flags = ["--out", str(folder), "--folds", str(self._options.folds), "--json"]
        if self._options.seed is not None:
            flags += ["--seed", str(self._options.seed)]
        argv = [str(self._options.bin_dir / "rowhouse-worker"), "generate", *flags]
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise JobFailed(f"rowhouse-worker generate failed: {run.stderr.strip()}")
        return data.generated(folder, run.stdout)

    def _plan(self, found, fold):
        options = self._options
        flags = []
        for name in ("dim", "seed"):
            if getattr(options, name) is not None:
                flags += [f"--{name}", str(getattr(options, name))]
        return Plan(
            bin_dir=options.bin_dir,
            servers=options.servers,
            workers=options.workers,
            shards=options.shards,
            ratings=found.ratings,
            items=found.items,
            fold=fold,
            folds=options.folds,
            data=found.description,
            epochs=options.epochs,
            best_rmse=found.best_rmse and found.best_rmse[fold],
            model_flags=flags,
        )

    def _figures(self, plan, directory, scores, result):
        training = dataclasses.asdict(result) if result else {"epochs": plan.epochs, "restarts": 0}
        return {
            **scores,
            **training,
            "servers": plan.servers,
            "workers": plan.workers,
            "shards": plan.shards,
            "fold": plan.fold,
            "folds": plan.folds,
            "data": plan.data,
            "best_rmse": plan.best_rmse,
            "work_dir": str(directory),
        }
