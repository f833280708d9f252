"""Checkpoints that are made in a loop while servers, load processes and their driver are killed."""

import json
import subprocess
import threading

from crash_fleet import Process
from support import BIN_DIR, wait_for

CTL = BIN_DIR / "rowhousectl"
PS = BIN_DIR / "rowhouse-ps"
# Of those present when the cluster is judged: each look reads all logs once more.
LOOKED_AT_MAX = 3
RESTORED_SHARDS = (1, 3)


class Checkpoints:
    """`rowhousectl checkpoint create`, again and again, from start() to stop()."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.directory = fleet.folder / "checkpoints"
        self.directory.mkdir()
        self.made = 0
        self.abandoned = 0
        self.killed_drivers = 0
        self.looked_at = 0
        self.restored = 0
        self.last_restored = None  # (manifest, shard directories)
        self._going_on = False
        self._thread = None
        self._driver = Process(
            "checkpoint",
            fleet.folder,
            [
                *(CTL, "checkpoint", "create", "--dir", self.directory, "--json"),
                *("--servers", ",".join(server.endpoint for server in fleet.servers)),
                *("--timeout-ms", 10000, "--connect-timeout-ms", 5000, "--leave-after-ms", 0),
            ],
        )

    def start(self):
        self._going_on = True
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def stop(self):
        self._going_on = False
        if self._thread:
            self._thread.join()
            self._thread = None

    def wait_for_one(self):
        """Until one more is made: nobody is killed now."""
        before = self.made
        wait_for(lambda: self.made > before, f"a checkpoint: {self._driver.log_path}", 60)

    def _loop(self):
        while self._going_on:
            self._driver.start()
            if self._driver.child.wait() == 0:
                self.made += 1
            else:
                self.abandoned += 1

    def kill_driver(self):
        if self._driver.running:
            self._driver.child.kill()
            self.killed_drivers += 1

    def check(self, random):
        """Of the stopped cluster: what is published is whole, and a consistent cut."""
        self._ctl("verify", "--all")
        manifests = sorted(self.directory.glob("checkpoint-*.json"))
        assert manifests, f"no checkpoint was made:\n{self._driver.log_tail()}"
        others = random.sample(manifests[:-1], min(LOOKED_AT_MAX - 1, len(manifests) - 1))
        for manifest in others:
            self._judge(manifest, [])
        self._check_restored(manifests[-1])
        self._ctl("prune", "--keep", 2)

    def _check_restored(self, manifest):
        for shards in RESTORED_SHARDS:
            self.restored += 1
            target = self.fleet.folder / f"restored-{self.restored}"
            self._run(
                *(PS, "restore", "--checkpoint", manifest, "--data-dir", target),
                *("--shards", shards),
            )
            self.last_restored = (manifest, [target / f"shard-{i}" for i in range(shards)])
            self._judge(*self.last_restored)

    def _judge(self, manifest, restored):
        self.looked_at += 1
        errors = self.errors_of(manifest, restored)
        assert not errors, f"{manifest}: {errors}"

    def errors_of(self, manifest, restored):
        """What the oracle says of a checkpoint and of the shards that were restored from it."""
        argv = [*self.fleet.oracle_argv(), "--checkpoint", manifest]
        if restored:
            argv += ["--restored", ",".join(str(path) for path in restored)]
        return json.loads(self._run(*argv, codes=(0, 1)))["errors"]

    def _ctl(self, command, *flags):
        return self._run(CTL, "checkpoint", command, "--dir", self.directory, *flags)

    @staticmethod
    def _run(*argv, codes=(0,)):
        argv = [str(part) for part in argv]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode in codes, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def summary(self):
        return {
            "checkpoints": self.made,
            "checkpoints_abandoned": self.abandoned,
            "kills_of_checkpoint_drivers": self.killed_drivers,
            "checkpoints_compared_with_the_logs": self.looked_at,
            "restores": self.restored,
        }
