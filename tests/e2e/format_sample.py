#!/usr/bin/env python3
"""Makes a sample data directory of this build's storage format, and what it must be read as.

    tests/e2e/format_sample.py [--out tests/data/format-2]

Run it once for each format that is released, commit what it makes, and never make that one again:
stored_format_test.py proves with it that later builds read what this one wrote. The folder gets
data/ (one shard: rows, a log with records above the watermark) and expected.json (every row with
weights and accumulators, and what the shard answers to each push that is sent again).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from crash_fleet import Fleet
from support import BIN_DIR, PROJECT

SERVER_FLAGS = ["--archive"]
# Made anew at every start; OPTIONS-* names folders of the machine that it was made on.
NOT_KEPT = shutil.ignore_patterns("LOCK", "LOG*", "OPTIONS-*", "*.log", "rows.incoming", "rows.frozen")


def sample(command, **options):
    """What rowhouse-format-sample prints, parsed."""
    flags = [str(part) for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    argv = [str(BIN_DIR / "rowhouse-format-sample"), command, *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout else None


def one_shard(folder):
    """A server of one shard whose data lie in folder/server-0."""
    return Fleet(folder, seed=1, servers=1, shards=1, loaders=0, server_flags=SERVER_FLAGS)


def read_back(folder, data):
    """What a server makes of a copy of `data`: answers to repeated pushes, then rows on disk."""
    fleet = one_shard(folder)
    server = fleet.servers[0]
    shutil.copytree(data, server.data_dir)
    with fleet:
        fleet.start_servers()
        windows = sample("windows", server=server.endpoint)
        server.stop()
        return {"windows": windows, "rows": sample("rows", shard_dir=server.shard_dirs[0])}, fleet


def make(out):
    with tempfile.TemporaryDirectory() as scratch, one_shard(Path(scratch) / "made") as fleet:
        server = fleet.servers[0]
        fleet.start_servers()
        sample("write-first", server=server.endpoint)
        server.stop()
        fleet.start_servers()
        sample("write-second", server=server.endpoint)
        server.kill()
        out.mkdir(parents=True)
        shutil.copytree(server.data_dir, out / "data", ignore=NOT_KEPT)
        expected, read = read_back(Path(scratch) / "read", out / "data")
        report = read.judge()
    if report["error_count"] or report["parts_logged"] != len(expected["windows"]):
        raise AssertionError(f"the oracle objects: {report}")
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=PROJECT / "tests" / "data" / "format-2")
    out = parser.parse_args().out
    if out.exists():
        print(f"{out} is there already; remove it first if it was never released", file=sys.stderr)
        return 1
    make(out)
    print(f"made {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
