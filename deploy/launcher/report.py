"""What the user is told."""

import shlex
import sys
from pathlib import Path


class Say:
    """Lines for the user. On a terminal a worker draws its progress bar; lines begin below it."""

    def __init__(self):
        self._bar = False

    def __call__(self, text=""):
        if self._bar:
            sys.stderr.write("\n")
        print(text, flush=True)

    def begin_bar(self):
        self._bar = sys.stderr.isatty()

    def end_bar(self):
        self._bar = False


def short(path):
    """Relative where it lies below the current folder: shorter, and just as good to paste."""
    path, here = Path(path), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def plural(count, word):
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def describe_plan(plan):
    held_out = f"fold {plan.fold} of {plan.folds} held out"
    return f"data      {plan.data}, {short(plan.ratings)} ({held_out})"


def describe_cluster(plan, endpoints):
    shards = f", {plural(plan.shards, 'shard')} each" if plan.shards > 1 else ""
    return f"servers   {' '.join(endpoints)}{shards}"


def describe_training(result):
    speed = f"{result.examples_per_second:,.0f} ratings/s"
    restarts = f", {plural(result.restarts, 'restart')}" if result.restarts else ""
    epochs = plural(result.epochs, "epoch")
    return f"trained   {epochs} in {result.train_seconds:.1f} s, {speed}{restarts}"


def describe_scores(scores, best_rmse):
    lines = ["RMSE on held-out ratings"]
    lines += rmse_lines(scores, ("Rowhouse", "biases only", "global mean"))
    if best_rmse is not None:
        lines.append(f"  {'best possible':<22}{best_rmse:.4f}  (noise was put into the data)")
    return "\n".join(lines)


def rmse_lines(figures, names):
    keys = ("rmse", "rmse_bias_only", "rmse_global_mean")
    return [f"  {name:<22}{figures[key]:.4f}" for name, key in zip(names, keys)]


def describe_nearest(answers):
    lines = ["Nearest movies, by cosine of their embeddings"]
    for answer in answers:
        lines.append(f"  {answer['title']}")
        lines += [f"    {near['cosine']:.2f}  {near['title']}" for near in answer["nearest"]]
    return "\n".join(lines)


def describe_tables(work_dir, servers):
    lines = [
        f"The trained tables are in {short(work_dir)}. To start on them again:",
        f"  deploy/quickstart --resume {shlex.quote(short(work_dir))} --serve",
        "or server by server:",
    ]
    lines += [f"  {shlex.join(map(short, server.argv_by_hand()))}" for server in servers]
    return "\n".join(lines)


def mean_of_folds(rows, keys, directory):
    """The figures of a run over all folds: means, and each fold's own."""
    mean = {key: sum(row[key] for row in rows) / len(rows) for key in keys}
    restarts = sum(row["restarts"] for row in rows)
    whole = {"fold": None, "restarts": restarts, "work_dir": str(directory), "each_fold": rows}
    return {**rows[0], **mean, **whole}


def describe_folds(figures):
    lines = ["RMSE on held-out ratings"]
    for row in figures["each_fold"]:
        lines += rmse_lines(row, (f"fold {row['fold']}",))
    lines += rmse_lines(figures, ("mean", "biases only, mean", "global mean, mean"))
    return "\n".join(lines)
