"""Real processes for end-to-end tests: start them, watch them, be sure that none is left.

Every process that a test starts carries a mark in its environment, and so do the children it has:
what still runs is found by that mark in /proc, whoever its parent is now.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BIN_DIR = Path(os.environ.get("ROWHOUSE_BIN_DIR") or PROJECT / "build" / "dev" / "bin")
SKIPPED = 77  # known to ctest
POLL_SECONDS = 0.02

sys.path.insert(0, str(PROJECT / "deploy"))
from launcher import data as launcher_data  # noqa: E402 (the path is set above)


def movielens():
    """ml-100k's u.data, or a skip that says so."""
    near = PROJECT.parent / "shared" / "data"
    for place in filter(None, (os.environ.get("ROWHOUSE_DATA"), near, launcher_data.cache_dir())):
        found = launcher_data.look_in(place)
        if found and found.ratings.name == "u.data":
            return found.ratings
    raise unittest.SkipTest("skipped: no data (not in $ROWHOUSE_DATA nor in ../shared/data)")


def wait_for(condition, what, seconds=30):
    """The first true value of condition(); a failure that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(POLL_SECONDS)


class EndToEnd(unittest.TestCase):
    """A temporary folder, marked processes, and a last look that none of them is left."""

    def setUp(self):
        self.mark = uuid.uuid4().hex
        self.processes = []
        self.folder = Path(tempfile.mkdtemp(prefix="rowhouse-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self._end_leftovers)

    def _end_leftovers(self):
        for pid in self.left_over():
            os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()

    def start(self, argv, **options):
        """A process in a session of its own; self.output(process) has what it printed so far."""
        output = tempfile.TemporaryFile(mode="w+")
        self.addCleanup(output.close)
        environment = {**os.environ, **options.pop("env", {}), "ROWHOUSE_TEST_MARK": self.mark}
        process = subprocess.Popen(
            [str(part) for part in argv],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
        process.output_file = output
        self.processes.append(process)
        return process

    def output(self, process):
        process.output_file.seek(0)
        return process.output_file.read()

    def finish(self, process, seconds=120):
        """Waits for the end: (exit code, output)."""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            output = self.output(process)
            raise AssertionError(f"still running after {seconds} s:\n{output}") from None
        return code, self.output(process)

    def left_over(self):
        """Pids of living processes that carry the mark of this test."""
        wanted = f"ROWHOUSE_TEST_MARK={self.mark}".encode()
        pids = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    pids.append(int(entry.name))
            except OSError:
                continue  # it ended while we looked
        return pids

    def assert_none_left(self, seconds=0):
        wait_for(lambda: not self.left_over(), "all processes to be gone", seconds)


class QuickstartCase(EndToEnd):
    """Drives deploy/quickstart on the binaries that the tests were built with."""

    def setUp(self):
        super().setUp()
        self.json_file = self.folder / "figures.json"
        self.status_file = self.folder / "status.json"
        self.work_dir = self.folder / "work"

    def quickstart(self, *flags, work_dir=True):
        kept = ["--work-dir", self.work_dir] if work_dir else []
        argv = [
            *(PROJECT / "deploy" / "quickstart", "--no-install", "--no-build"),
            *("--build-preset", BIN_DIR.parent.name),
            *("--json", self.json_file, "--status-file", self.status_file),
            *kept,
            *flags,
        ]
        return self.start(argv)

    def figures(self):
        return json.loads(self.json_file.read_text())

    def status(self):
        try:
            return json.loads(self.status_file.read_text())
        except FileNotFoundError:
            return {"state": None, "servers": [], "workers": []}

    def wait_for_epoch(self, process, epoch, seconds=60):
        """Waits until every worker is in `epoch` or beyond; the status then."""

        def reached():
            if process.poll() is not None:
                raise AssertionError(f"ended before epoch {epoch}:\n{self.output(process)}")
            status = self.status()
            workers = status["workers"]
            return workers and all(worker["epoch"] >= epoch for worker in workers) and status

        return wait_for(reached, f"epoch {epoch}", seconds)

    def succeed(self, *flags, seconds=180, **options):
        """Runs quickstart to its end: (figures, output)."""
        process = self.quickstart(*flags, **options)
        code, output = self.finish(process, seconds)
        self.assertEqual(code, 0, output)
        self.assert_none_left()
        return self.figures(), output


def main():
    """unittest.main, but a file whose tests were all skipped says so by its exit code."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
