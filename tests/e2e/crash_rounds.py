#!/usr/bin/env python3
"""Kills real servers and load processes, starts them again, and has the oracle judge what is left.

    tests/e2e/crash_rounds.py --rounds 200 --seed 1 [--check-every 20] [--json FILE] [--keep DIR]

One round: all processes run and make progress; at a random moment one or several of them get
kill -9, in every fourth round once more while they come back; they are started again on the same
directories and identities. Meanwhile checkpoints are made one after another, and their driver is
killed now and then as well. Every so many rounds all end in order, and rowhouse-crash-oracle compares
the rows of every shard, to the last bit, with a sequential oracle fed from the archived push logs,
and what was acknowledged with what the logs hold. The summary counts the kills that hit pushes in
flight: begun before the kill and not acknowledged at it.

Exit code 0: nothing was lost, nothing applied twice, all bits equal.
"""

import argparse
import bisect
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from crash_checkpoints import Checkpoints
from crash_fleet import Fleet, Loader

MIB = 1 << 20
SERVER_FLAGS = [
    *("--archive", "--segment-bytes", MIB, "--flush-log-bytes", MIB, "--flush-log-ratio", 0),
    *("--flush-step-rows", 256, "--flush-file-rows", 2048, "--retry-ms", 20),
]
# One server of two holds a part of its rows in memory, the other one all.
ODD_SERVER_FLAGS = ["--memory-bytes-max", 4 * MIB]
LOAD_FLAGS = ["--in-flight", 64, "--rows", 48, "--keys", 30000]
# What a kill is aimed at, and how often.
TARGETS = [
    (5, lambda fleet, rng: [rng.choice(fleet.servers)]),
    (2, lambda fleet, rng: list(fleet.servers)),
    (4, lambda fleet, rng: [rng.choice(fleet.loaders)]),
    (1, lambda fleet, rng: list(fleet.loaders)),
    (3, lambda fleet, rng: [rng.choice(fleet.servers), rng.choice(fleet.loaders)]),
    (1, lambda fleet, rng: [*fleet.servers, *fleet.loaders]),
]
DELAY_SECONDS_MAX = 0.5
SECOND_KILL_SECONDS_MAX = 0.15


class Kill:
    """One kill -9 and when it was."""

    def __init__(self, process, during_recovery):
        self.during_recovery = during_recovery
        self.is_loader = isinstance(process, Loader)
        self.shards = () if self.is_loader else tuple(process.shard_ids)
        self.journal = process.journal if self.is_loader else None
        self.ns = time.monotonic_ns()
        process.child.kill()


class Rounds:
    def __init__(self, fleet, seed, say):
        self.fleet = fleet
        self.checkpoints = Checkpoints(fleet)
        self.random = random.Random(seed)
        self.say = say
        self.kills = []
        self.report = None

    def run(self, rounds, check_every):
        try:
            self.start()
            for done in range(1, rounds + 1):
                self.round(done)
                if done % check_every == 0 or done == rounds:
                    self.check(done)
                    if done != rounds:
                        self.start()
        finally:
            self.checkpoints.stop()

    def start(self):
        self.fleet.start()
        self.checkpoints.start()

    def round(self, number):
        for loader in self.fleet.loaders:
            loader.wait_progress()
        time.sleep(self.random.uniform(0, DELAY_SECONDS_MAX))  # the random moment
        weights = [weight for weight, _ in TARGETS]
        choose = self.random.choices([choice for _, choice in TARGETS], weights)[0]
        targets = choose(self.fleet, self.random)
        self.kill(targets, during_recovery=False)
        if number % 3 == 0:
            self.checkpoints.kill_driver()
        if number % 4 == 0:
            time.sleep(self.random.uniform(0, SECOND_KILL_SECONDS_MAX))
            self.kill([target for target in targets if target.running], during_recovery=True)
        for server in self.fleet.servers:
            server.wait_ready()

    def kill(self, targets, during_recovery):
        self.kills += [Kill(target, during_recovery) for target in targets]
        for target in targets:
            target.child.wait()
            target.start()

    def check(self, done):
        for loader in self.fleet.loaders:
            loader.wait_progress()
        self.checkpoints.wait_for_one()
        self.checkpoints.stop()
        self.fleet.stop()
        self.report = self.fleet.judge()
        self.say(
            f"round {done}: {self.report['rows']} rows, {self.report['records']} records, "
            f"{self.report['parts_acknowledged']} parts acknowledged, "
            f"{self.report['error_count']} errors"
        )
        if self.report["error_count"]:
            raise AssertionError("\n".join(self.report["errors"]))
        self.checkpoints.check(self.random)


class Journals:
    """When pushes were begun and their parts acknowledged, to tell what a kill has hit."""

    def __init__(self, directory):
        self.open_parts = []  # (begun, acknowledged, shard)
        self.begun = {}  # journal -> {sequence: begun}
        self.answered = {}  # journal -> {sequence: first acknowledgement}
        for path in directory.iterdir():
            self._read(path)

    def _read(self, path):
        begun = self.begun.setdefault(path, {})
        answered = self.answered.setdefault(path, {})
        for line in path.read_text().splitlines(keepends=True):
            words = line.split()
            if not line.endswith("\n"):
                continue
            if words[0] == "b":
                begun[int(words[2])] = int(words[1])
                continue
            sequence = int(words[4])
            answered.setdefault(sequence, int(words[1]))
            self.open_parts.append((begun[sequence], int(words[1]), int(words[5])))

    def count_hits(self, kills):
        """Of each kill, how many parts (server) or whole pushes (loader) it caught in flight."""
        hits = [0] * len(kills)
        by_time = sorted(range(len(kills)), key=lambda i: kills[i].ns)
        times = [kills[i].ns for i in by_time]
        for begun, acknowledged, shard in self.open_parts:
            for place in range(bisect.bisect(times, begun), bisect.bisect(times, acknowledged)):
                if shard in kills[by_time[place]].shards:
                    hits[by_time[place]] += 1
        for i, kill in enumerate(kills):
            if kill.is_loader:
                begun = self.begun.get(kill.journal, {})
                hits[i] = len(begun.keys() - self.answered.get(kill.journal, {}).keys())
        return hits


def summary_of(rounds, seed, seconds, fleet, work):
    hits = Journals(fleet.journals).count_hits(work.kills)
    first_kills = [hit for hit, kill in zip(hits, work.kills) if not kill.during_recovery]
    kinds = Counter("load process" if kill.is_loader else "server" for kill in work.kills)
    return {
        "rounds": rounds,
        "seed": seed,
        "seconds": round(seconds, 1),
        "kills": len(work.kills),
        "kills_of_servers": kinds["server"],
        "kills_of_load_processes": kinds["load process"],
        "kills_during_recovery": len(work.kills) - len(first_kills),
        "kills_of_a_running_process": len(first_kills),
        "kills_that_hit_pushes_in_flight": sum(1 for hit in first_kills if hit),
        "parts_and_pushes_in_flight": sum(hits),
        **work.checkpoints.summary(),
        **{key: value for key, value in work.report.items() if key != "errors"},
    }


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--shards", type=int, default=1, help="of each server")
    parser.add_argument("--check-every", type=int, default=20, help="rounds between two judgements")
    parser.add_argument("--json", type=Path, help="file for the summary")
    parser.add_argument("--keep", type=Path, help="new folder for data, logs and journals, kept")
    return parser.parse_args()


def run(folder, rounds, seed, servers=2, shards=1, check_every=20, say=print):
    """The summary, and what was run, with everything that it left in `folder`."""
    begin = time.monotonic()
    with Fleet(
        folder,
        seed,
        servers=servers,
        shards=shards,
        server_flags=SERVER_FLAGS,
        odd_server_flags=ODD_SERVER_FLAGS,
        load_flags=LOAD_FLAGS,
    ) as fleet:
        work = Rounds(fleet, seed, say)
        work.run(rounds, check_every)
    return summary_of(rounds, seed, time.monotonic() - begin, fleet, work), work


def main():
    arguments = parse_arguments()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="rowhouse-crash-"))
    try:
        summary, _ = run(
            folder,
            arguments.rounds,
            arguments.seed,
            arguments.servers,
            arguments.shards,
            arguments.check_every,
            lambda text: print(text, flush=True),
        )
    except AssertionError as failure:
        print(f"failed, seed {arguments.seed}; data, logs and journals: {folder}\n{failure}")
        return 1
    print(json.dumps(summary))
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=2) + "\n")
    if not arguments.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
