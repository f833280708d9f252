"""The launcher's command line."""

import argparse
from pathlib import Path

EPILOG = """\
deploy/quickstart itself takes --no-install, --no-build and --build-preset NAME.

exit codes: 0 trained and evaluated; 1 the job failed (the message says what); 2 wrong flags;
130 Ctrl-C. In every case all processes are gone."""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="deploy/quickstart",
        description="Trains a movie recommender on servers and workers of this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_cluster(parser.add_argument_group("cluster"))
    _add_model(parser.add_argument_group("model"))
    _add_data(parser.add_argument_group("data"))
    _add_output(parser.add_argument_group("output"))
    parser.add_argument("--bin-dir", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    _check(parser, options)
    return options


def _add_cluster(group):
    count = {"type": _count, "metavar": "N"}
    group.add_argument("--servers", **count, default=2, help="rowhouse-ps processes (2)")
    group.add_argument("--workers", **count, default=2, help="rowhouse-worker processes (2)")
    group.add_argument("--shards", **count, default=1, help="shards of each server (1)")


def _add_model(group):
    group.add_argument("--epochs", type=_count, metavar="N", help="passes over the ratings")
    group.add_argument("--dim", type=_count, metavar="N", help="floats in an embedding")
    group.add_argument("--seed", type=int, metavar="N", help="of initial values and data order")


def _add_data(group):
    group.add_argument(
        "--data",
        metavar="PATH",
        help="u.data, ratings.dat or ratings.csv, or a folder with one of them",
    )
    group.add_argument("--generated", action="store_true", help="train on generated ratings")
    group.add_argument(
        "--accept-licence",
        action="store_true",
        help="agree to the terms of MovieLens, where it has to be downloaded",
    )
    group.add_argument("--fold", type=int, default=0, metavar="K", help="the one held out (0)")
    group.add_argument("--folds", type=_count, default=5, metavar="N", help="folds in all (5)")
    group.add_argument("--all-folds", action="store_true", help="hold out each in turn; the mean")


def _add_output(group):
    group.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    group.add_argument(
        "--status-file",
        type=Path,
        metavar="FILE",
        help="keep pids, ports and epochs there, as JSON",
    )
    group.add_argument(
        "--work-dir",
        "--keep-dir",
        type=Path,
        metavar="DIR",
        help="where tables and logs go (build/quickstart/TIME); must be new or empty",
    )
    group.add_argument(
        "--resume", type=Path, metavar="DIR", help="start again on the tables of an earlier run"
    )
    group.add_argument("--serve", action="store_true", help="keep the servers up until Ctrl-C")
    group.add_argument("--verbose", action="store_true", help="say which programs are started")


def _count(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _check(parser, options):
    if not 0 <= options.fold < options.folds:
        last = options.folds - 1
        parser.error(f"--fold {options.fold} is not one of the {options.folds} folds (0 to {last})")
    if options.folds < 2:
        parser.error("--folds must be at least 2: one is held out, the others are trained on")
    if options.data and options.generated:
        parser.error("--data and --generated exclude each other")
    if options.all_folds and (options.resume or options.serve):
        parser.error("--all-folds trains anew and stops; it goes with neither --resume nor --serve")
    for path in (options.json, options.status_file):
        if path and not path.absolute().parent.is_dir():
            parser.error(f"{path}: its folder does not exist")
    if not (options.bin_dir / "rowhouse-ps").exists():
        parser.error(f"{options.bin_dir} holds no rowhouse-ps; build first (leave --no-build away)")
