"""A small cluster of real processes that is made to be killed: servers, load processes, the oracle.

Every process dies with the one that started it, whatever ends that.
"""

import ctypes
import json
import signal
import subprocess
from pathlib import Path

from support import BIN_DIR, wait_for

PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One program: started, killed and started again with the same arguments."""

    def __init__(self, name, folder, argv):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log_path = folder / f"{name}.log"
        self.child = None

    def start(self, *extra, **options):
        with open(self.log_path, "a") as log:
            self.child = subprocess.Popen(
                [*self.argv, *(str(part) for part in extra)],
                stdout=options.pop("stdout", log),
                stderr=log,
                preexec_fn=die_with_parent,
                **options,
            )

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self, seconds=60):
        """Asks it to end in order; an exit code other than 0 is a failure."""
        if not self.running:
            raise AssertionError(f"{self.name} had ended by itself:\n{self.log_tail()}")
        self.child.terminate()
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not stop:\n{self.log_tail()}") from None
        if code != 0:
            raise AssertionError(f"{self.name} ended with code {code}:\n{self.log_tail()}")

    def log_tail(self, lines=30):
        return "\n".join(self.log_path.read_text().splitlines()[-lines:])


class Server(Process):
    def __init__(self, fleet, index, server_count, shards, flags):
        self.data_dir = fleet.data_folder / f"server-{index}"
        self.shard_dirs = [
            self.data_dir / f"shard-{index * shards + i}" for i in range(shards)
        ]
        self.shard_ids = [index * shards + i for i in range(shards)]
        self.endpoint = f"unix:{fleet.folder}/server-{index}.sock"
        self.ready_file = fleet.folder / f"server-{index}.ready"
        super().__init__(
            f"server-{index}",
            fleet.folder,
            [
                BIN_DIR / "rowhouse-ps",
                *("--listen", self.endpoint, "--data-dir", self.data_dir),
                *("--shards", shards, "--server-index", index, "--server-count", server_count),
                *("--ready-file", self.ready_file),
                *flags,
            ],
        )

    def start(self, *extra, **options):
        self.ready_file.unlink(missing_ok=True)
        super().start(*extra, **options)

    def wait_ready(self, seconds=60):
        wait_for(lambda: self.ready_file.exists() or not self.running, f"{self.name} to serve", seconds)
        if not self.running:
            raise AssertionError(f"{self.name} does not start:\n{self.log_tail()}")


class Loader(Process):
    """A load process: the same client id in every life, a journal for each."""

    def __init__(self, fleet, index, flags):
        self.client_id = index + 1
        self.journals = fleet.journals
        self.lives = 0
        self.seed = fleet.seed
        super().__init__(
            f"load-{index}",
            fleet.folder,
            [
                BIN_DIR / "rowhouse-crash-load",
                *("--servers", ",".join(server.endpoint for server in fleet.servers)),
                *("--client-id", self.client_id),
                *flags,
            ],
        )

    @property
    def journal(self):
        return self.journals / f"{self.client_id}-{self.lives:05d}"

    def start(self, *extra, **options):
        self.lives += 1
        seed = self.seed * 1_000_003 + self.client_id * 10_007 + self.lives
        super().start("--journal", self.journal, "--seed", seed, *extra, **options)

    def acknowledged(self):
        """Bytes of this life's journal: grows with every part that is acknowledged."""
        try:
            return self.journal.stat().st_size
        except FileNotFoundError:
            return 0

    def wait_progress(self, seconds=60):
        """Until something is acknowledged to this life that was not when we were called."""
        before = self.acknowledged()

        def progressed():
            if not self.running:
                raise AssertionError(f"{self.name} ended by itself:\n{self.log_tail()}")
            return any(line.startswith("a ") for line in self._journal_from(before))

        wait_for(progressed, f"acknowledgements to {self.name}", seconds)

    def _journal_from(self, offset):
        try:
            with open(self.journal) as journal:
                journal.seek(offset)
                return journal.readlines()
        except FileNotFoundError:
            return []


class Fleet:
    def __init__(
        self,
        folder,
        seed,
        servers=2,
        shards=1,
        loaders=2,
        server_flags=(),
        odd_server_flags=(),
        load_flags=(),
        data_folder=None,
    ):
        self.folder = Path(folder)
        self.data_folder = Path(data_folder or folder)
        self.seed = seed
        self.journals = self.folder / "journals"
        self.journals.mkdir(parents=True)
        flags_of = ([*server_flags], [*server_flags, *odd_server_flags])
        self.servers = [Server(self, i, servers, shards, flags_of[i % 2]) for i in range(servers)]
        self.loaders = [Loader(self, i, load_flags) for i in range(loaders)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (*self.loaders, *self.servers):
            if process.running:
                process.kill()

    @property
    def shard_dirs(self):
        return [path for server in self.servers for path in server.shard_dirs]

    def start_servers(self):
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait_ready()

    def start(self):
        self.start_servers()
        for loader in self.loaders:
            loader.start()

    def stop(self):
        """In order: what the loaders have begun is acknowledged, what the servers hold is on disk."""
        for process in (*self.loaders, *self.servers):
            process.stop()

    def oracle_argv(self):
        shard_dirs = ",".join(str(path) for path in self.shard_dirs)
        return [
            str(BIN_DIR / "rowhouse-crash-oracle"),
            *("--shard-dir", shard_dirs, "--journals", str(self.journals)),
        ]

    def judge(self, journals=None):
        """What the oracle says of the stopped cluster: its report, with "error_count" and "errors"."""
        argv = self.oracle_argv()
        if journals is not None:
            argv[argv.index("--journals") + 1] = str(journals)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise AssertionError(f"the oracle ended with {done.returncode}: {done.stderr}")
        report = json.loads(done.stdout)
        assert (done.returncode == 0) == (report["error_count"] == 0), report
        return report
