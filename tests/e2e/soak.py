#!/usr/bin/env python3
"""Load and random kills for as long as asked: nothing may be lost, and nothing may grow.

    tests/e2e/soak.py --minutes 60 [--seed 1] [--csv FILE] [--json FILE] [--keep DIR]

Two servers whose logs are trimmed, a memory budget of a quarter of the tables' size, and two load
processes; now and then one of them gets kill -9 and is started again. Every few seconds it notes
resident memory, open descriptors and the bytes of push log and rows of each server. In the second
half these must be flat: the last quarter's largest value may hardly exceed the largest of the second
quarter, a line through the second half may hardly rise, and the log stays below its bound.
rowhouse-crash-oracle follows the logs while they are trimmed, and judges at the end, to the last
bit.
"""

import argparse
import csv
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crash_fleet import Fleet, Process
from support import BIN_DIR

MIB = 1 << 20
SEGMENT_BYTES = 4 * MIB
FLUSH_LOG_BYTES = 16 * MIB
KEYS = 400_000
# Rows of all tables, each a header of 24 bytes, weights and accumulators: dims 16, 8, 1 and 5.
TABLE_BYTES = KEYS * sum(24 + 8 * dim for dim in (16, 8, 1, 5))
SERVERS = 2
BUDGET_FLAG = "--memory-bytes-max"
SAMPLE_SECONDS = 3
COLUMNS = ("resident_bytes", "descriptors", "log_bytes", "rows_bytes")
# How far the last quarter's largest value may exceed the second's: a share, and a constant.
SLACK = {
    "resident_bytes": (0.10, 16 * MIB),
    "descriptors": (0.0, 12),
    "log_bytes": (0.25, FLUSH_LOG_BYTES),
    "rows_bytes": (0.25, 32 * MIB),
}
# With a budget: what a server needs besides it, for the program, its threads and what is in flight.
RESIDENT_CONSTANT = 64 * MIB
# A log holds what came since the flush before last, and a segment at each end. While a killed
# server comes back, nothing is flushed and nothing is written.
LOG_BYTES_MAX = 3 * FLUSH_LOG_BYTES + 2 * SEGMENT_BYTES


def server_flags():
    """Flags of the servers, and whether they have a memory budget."""
    flags = ["--segment-bytes", SEGMENT_BYTES, "--flush-log-bytes", FLUSH_LOG_BYTES, "--flush-log-ratio", 0]
    help_text = subprocess.run(
        [str(BIN_DIR / "rowhouse-ps"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    if BUDGET_FLAG not in help_text:
        return flags, None
    budget = TABLE_BYTES // 4 // SERVERS
    return [*flags, BUDGET_FLAG, budget], budget


def bytes_below(folder):
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # trimmed or compacted away meanwhile
    return total


def sample(server):
    """One server's values by column; None where it is being started again."""
    process = Path("/proc") / str(server.child.pid)
    try:
        status = (process / "status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) * 1024
        descriptors = len(list((process / "fd").iterdir()))
    except (FileNotFoundError, IndexError, PermissionError, ProcessLookupError):
        return None
    logs = [bytes_below(shard / "log") for shard in server.shard_dirs]
    rows = [bytes_below(shard / "rows") for shard in server.shard_dirs]
    return dict(zip(COLUMNS, (resident, descriptors, sum(logs), sum(rows))))


class Soak:
    def __init__(self, fleet, seed, seconds, budget, say):
        self.fleet = fleet
        self.budget = budget
        self.random = random.Random(seed)
        self.seconds = seconds
        self.say = say
        self.samples = []  # (seconds, server, values)
        self.kills = 0
        self.oracle = Process("oracle", fleet.folder, fleet.oracle_argv())

    def run(self):
        self.fleet.start()
        self.oracle.start(
            "--shadow", self.fleet.folder / "shadow", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.begin = time.monotonic()
        next_kill = next_sample = self.begin
        next_line = self.begin + 60
        while (now := time.monotonic()) < self.begin + self.seconds:
            if now >= next_sample:
                self.take_samples()
                next_sample = now + SAMPLE_SECONDS
            if now >= next_kill:
                self.kill_one()
                next_kill = now + self.random.uniform(2, min(40, 10 + self.seconds / 30))
            if now >= next_line:
                self.say_where_we_are()
                next_line += 60
            time.sleep(0.2)
        return self.judge()

    def kill_one(self):
        process = self.random.choice([*self.fleet.servers, *self.fleet.loaders])
        if not process.running:
            raise AssertionError(f"{process.name} ended by itself:\n{process.log_tail()}")
        process.kill()
        process.start()
        self.kills += 1
        for server in self.fleet.servers:
            server.wait_ready(300)

    def take_samples(self):
        if not self.oracle.running:
            raise AssertionError(f"the oracle ended: {self.oracle.child.stdout.read()}")
        for server in self.fleet.servers:
            values = sample(server)
            if values:
                self.samples.append((time.monotonic() - self.begin, server.name, values))

    def say_where_we_are(self):
        values = self.samples[-1][2]
        text = ", ".join(f"{column} {value}" for column, value in values.items())
        self.say(f"{(time.monotonic() - self.begin) / 60:.0f} min, {self.kills} kills; {text}")

    def judge(self):
        for loader in self.fleet.loaders:
            loader.wait_progress()
        self.fleet.stop()
        output, _ = self.oracle.child.communicate(b"", timeout=1800)
        return json.loads(output)

    def quarter(self, number, server, column):
        """Values of one quarter of the run, 0 to 3."""
        begin, end = self.seconds * number / 4, self.seconds * (number + 1) / 4
        return [
            values[column]
            for at, name, values in self.samples
            if name == server and begin <= at < end
        ]

    def growth(self):
        """What is not flat, in words."""
        for server in (server.name for server in self.fleet.servers):
            for column in COLUMNS:
                quarters = [self.quarter(number, server, column) for number in range(4)]
                if any(len(values) < 2 for values in quarters):
                    yield f"{server}: too few samples of {column}"
                    continue
                share, constant = SLACK[column]
                bound = max(quarters[1]) * (1 + share) + constant
                if max(quarters[3]) > bound:
                    yield f"{server}: {column} rose to {max(quarters[3])}, more than {bound:.0f}"
                half = quarters[2] + quarters[3]
                slope = statistics.linear_regression(range(len(half)), half).slope
                if slope * len(half) > statistics.median(half) * share + constant:
                    yield f"{server}: {column} rises by {slope * len(half):.0f} in the second half"
                limit = self.limit(column)
                if limit and max(half) > limit:
                    yield f"{server}: {column} of {max(half)}, more than {limit}"

    def limit(self, column):
        if column == "log_bytes":
            return LOG_BYTES_MAX
        if column == "resident_bytes" and self.budget:
            return self.budget * 11 // 10 + RESIDENT_CONSTANT
        return None

    def table(self):
        """First, median and largest value of each quarter."""
        yield f"{'server':<10}{'':<16}" + "".join(f"{f'quarter {n + 1}':>36}" for n in range(4))
        for server in (server.name for server in self.fleet.servers):
            for column in COLUMNS:
                cells = ""
                for number in range(4):
                    values = self.quarter(number, server, column) or [0]
                    three = (values[0], int(statistics.median(values)), max(values))
                    cells += f"{' / '.join(str(value) for value in three):>36}"
                yield f"{server:<10}{column:<16}{cells}"

    def write_csv(self, path):
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["seconds", "server", *COLUMNS])
            for at, server, values in self.samples:
                writer.writerow([f"{at:.1f}", server, *(values[column] for column in COLUMNS)])


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pushes-per-second", type=int, default=200, help="of each load process")
    parser.add_argument("--csv", type=Path, help="file for all samples")
    parser.add_argument("--json", type=Path, help="file for the summary")
    parser.add_argument("--keep", type=Path, help="new folder for data, logs and journals, kept")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="rowhouse-soak-"))
    flags, budget = server_flags()
    load_flags = [
        *("--in-flight", 16, "--rows", 128, "--keys", KEYS),
        *("--pushes-per-second", arguments.pushes_per_second),
    ]
    say = lambda text: print(text, flush=True)
    if budget is None:
        say("these servers have no memory budget: all rows stay in memory")
    try:
        with Fleet(
            folder, arguments.seed, servers=SERVERS, server_flags=flags, load_flags=load_flags
        ) as fleet:
            soak = Soak(fleet, arguments.seed, arguments.minutes * 60, budget, say)
            report = soak.run()
    except AssertionError as failure:
        say(f"failed, seed {arguments.seed}; data, logs and journals: {folder}\n{failure}")
        return 1
    problems = [*report["errors"], *soak.growth()]
    summary = {
        "minutes": arguments.minutes,
        "seed": arguments.seed,
        "kills": soak.kills,
        "memory_budget_bytes_of_each_server": budget,
        "table_bytes": TABLE_BYTES,
        **{key: value for key, value in report.items() if key != "errors"},
        "problems": problems,
    }
    for line in soak.table():
        say(line)
    say(json.dumps(summary))
    if arguments.csv:
        soak.write_csv(arguments.csv)
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=2) + "\n")
    if problems:
        say(f"data, logs and journals: {folder}")
        return 1
    if not arguments.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
