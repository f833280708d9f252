"""A training job on one machine: its servers, its workers, and the rules of who is started again.

    with Job(plan, work_dir, status_file, say) as job:
        job.start_servers()
        result = job.train()
        scores = job.run_tool("evaluate")

Whatever ends the block, all processes are gone after it.
"""

import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .children import Ended, Line, Stop
from .errors import Interrupted, JobFailed
from .log_files import last_lines
from .servers import Server, describe_end
from .workers import Worker

POLL_SECONDS = 0.05
STOP_GRACE_SECONDS = 30


@dataclass
class Plan:
    """What a job is; kept in its work directory, so that it can be started again."""

    bin_dir: Path
    servers: int
    workers: int
    shards: int
    ratings: Path
    items: Path | None
    fold: int
    folds: int
    data: str = ""             # what the ratings are, for people
    epochs: int | None = None  # None: the worker's default
    best_rmse: float | None = None
    model_flags: list = field(default_factory=list)  # part of the tables' specs: dim, seed


@dataclass
class TrainResult:
    """How training went."""

    epochs: int
    train_seconds: float
    examples_per_second: float
    restarts: int


class Job:
    """Owns the processes of one job."""

    def __init__(self, loop, plan, work_dir, status_file, say):
        self._loop = loop
        self._plan = plan
        self._work_dir = work_dir
        self._status_file = status_file
        self._say = say
        self._state = "starting"
        self._tool = None
        self._workers = []
        self._client_ids = secrets.randbits(62) + 1
        (work_dir / "logs").mkdir(exist_ok=True)
        self._servers = [Server(loop, plan, i, work_dir) for i in range(plan.servers)]

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        complaint = self.stop()
        if complaint and error_type is None:
            raise JobFailed(complaint)
        if complaint:
            self._say(complaint)

    @property
    def endpoints(self):
        return [server.endpoint for server in self._servers]

    @property
    def servers(self):
        return self._servers

    @property
    def restarts(self):
        return sum(part.restarts for part in (*self._servers, *self._workers))

    def start_servers(self):
        for server in self._servers:
            server.start()
        self._run_until(lambda: all(server.ready for server in self._servers))

    def train(self, first_epoch=0):
        self._state = "training"
        ranks = range(self._plan.workers)
        self._workers = [self._make_worker(rank, first_epoch) for rank in ranks]
        began = time.monotonic()
        for worker in self._workers:
            worker.start()
        self._run_until(lambda: all(worker.finished for worker in self._workers))
        seconds = time.monotonic() - began
        examples = sum(worker.examples() for worker in self._workers)
        epochs = self._workers[0].epochs
        return TrainResult(epochs, seconds, examples / seconds, self.restarts)

    def run_tool(self, command, *flags):
        """Runs another command of rowhouse-worker to its end; the JSON objects it printed."""
        self._state = command
        log = self._work_dir / "logs" / f"{command}.log"
        self._tool = Tool(self._loop, self._worker_argv(command, *flags), log)
        self._run_until(lambda: self._tool.finished)
        return self._tool.objects

    def serve(self):
        """Keeps the servers up until somebody stops us."""
        self._state = "serving"
        self._run_until(lambda: False)

    def stop(self):
        """Ends all processes; says which servers did not save their tables, or nothing."""
        self._state = "stopping"
        ends = self._loop.stop_all(STOP_GRACE_SECONDS)
        self._state = "stopped"
        self._update_status()
        return "\n".join(
            self._complaint(server, end.returncode)
            for end in ends
            for server in self._servers
            if server.owns(end.child) and end.returncode != 0
        )

    @staticmethod
    def _complaint(server, returncode):
        return (
            f"{server.name} was asked to stop and {describe_end(returncode)}: its tables on disk "
            f"may lack the last pushes; its log, {server.log}, ends with{last_lines(server.log)}"
        )

    def _run_until(self, done):
        self._update_status()
        while not done():
            for event in self._loop.wait(POLL_SECONDS):
                self._handle(event)
            for part in (*self._servers, *self._workers):
                part.tick()
            self._update_status()

    def _handle(self, event):
        if isinstance(event, Stop):
            raise Interrupted(event.signal_number)
        for part in (*self._servers, *self._workers, self._tool):
            if part is None or not part.owns(event.child):
                continue
            if isinstance(event, Ended):
                part.ended(event.returncode, self._say)
            elif isinstance(event, Line) and hasattr(part, "line"):
                part.line(event.text)

    def _make_worker(self, rank, first_epoch):
        epochs = () if self._plan.epochs is None else ("--epochs", str(self._plan.epochs))
        world = str(self._plan.workers)
        # A name of its own: started again under it, it fences whatever is left of its former self.
        name = ("--client-id", str(self._client_ids + rank))
        argv = self._worker_argv("train", "--rank", str(rank), "--world", world, *name, *epochs)
        log = self._work_dir / "logs" / f"worker-{rank}.log"
        on_terminal = rank == 0 and sys.stderr.isatty()
        return Worker(self._loop, rank, argv, log, first_epoch, on_terminal)

    def _worker_argv(self, command, *flags):
        plan = self._plan
        return [
            str(plan.bin_dir / "rowhouse-worker"),
            command,
            *("--servers", ",".join(self.endpoints)),
            *("--data", str(plan.ratings)),
            *("--folds", str(plan.folds)),
            *("--fold", str(plan.fold)),
            *plan.model_flags,
            "--json",
            *flags,
        ]

    def _update_status(self):
        self._status_file.update(self._state, self._servers, self._workers)


class Tool:
    """A program that runs once, prints JSON objects and must succeed."""

    restarts = 0

    def __init__(self, loop, argv, log):
        self._log = log
        self._name = " ".join(Path(part).name for part in argv[:2])
        self.objects = []
        self.finished = False
        with open(log, "ab") as stderr:
            self._child = loop.start(self._name, argv, stderr)

    def owns(self, child):
        return child is self._child

    def line(self, text):
        if text.strip():
            self.objects.append(json.loads(text))

    def ended(self, returncode, _say):
        if returncode != 0:
            raise JobFailed(f"{self._name} {describe_end(returncode)}{last_lines(self._log)}")
        self.finished = True
