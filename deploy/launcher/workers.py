"""One training worker: followed through its epochs, started again in the one it died in."""

import json
import time

from .errors import JobFailed
from .log_files import last_lines
from .servers import describe_end

RESTARTS_MAX = 5
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 4)


class Worker:
    """rowhouse-worker train, rank `rank` of `world`."""

    def __init__(self, loop, rank, argv, log, first_epoch, on_terminal):
        self._loop = loop
        self.rank = rank
        self.name = f"worker {rank}"
        self._argv = argv
        self.log = log
        self._on_terminal = on_terminal
        self._first_epoch = first_epoch  # where the job began
        self._start_epoch = first_epoch  # where this process began
        self.epoch = first_epoch         # where it is now
        self.epochs = None               # of the whole job, once it has said so
        self._child = None
        self._start_at = None
        self._done = None
        self.finished = False
        self.restarts = 0

    def start(self):
        self._start_at = None
        self._start_epoch = self.epoch
        argv = [*self._argv, "--start-epoch", str(self.epoch)]
        if self._on_terminal:  # its progress bar is for the user
            self._child = self._loop.start(self.name, argv, None)
            return
        with open(self.log, "ab") as log:
            self._child = self._loop.start(self.name, argv, log)

    def owns(self, child):
        return child is self._child

    def tick(self):
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self.start()

    def line(self, text):
        """Takes note of one event; lines that are none are kept in the log."""
        try:
            event = json.loads(text)
            kind = event["event"]
        except (ValueError, TypeError, KeyError):
            with open(self.log, "a") as log:
                log.write(f"{text}\n")
            return
        if kind == "epoch_begin":
            self.epoch = event["epoch"]
            self.epochs = event["epochs"]
        elif kind == "done":
            self._done = event

    def ended(self, returncode, say):
        if returncode == 0 and self._done:
            self.finished = True
            return
        # Killed: the machine's or somebody's doing. Ended by itself before its first epoch, or with
        # the code for wrong flags: it will not do better the next time.
        own_fault = returncode == 2 or (returncode > 0 and self.epoch == self._first_epoch)
        if own_fault or self.restarts >= RESTARTS_MAX:
            again = f" after {self.restarts} restarts" if self.restarts else ""
            raise JobFailed(f"{self.name} {describe_end(returncode)}{again}{self._log_end()}")
        self._start_at = time.monotonic() + BACKOFF_SECONDS[self.restarts % len(BACKOFF_SECONDS)]
        self.restarts += 1
        say(f"{self.name} {describe_end(returncode)}; starting it again at epoch {self.epoch}")

    def examples(self):
        """Of its part of the data, times epochs: what a restart redid is not counted twice."""
        per_epoch = self._done["examples"] / max(1, self.epochs - self._start_epoch)
        return per_epoch * (self.epochs - self._first_epoch)

    def status(self):
        running = self._child and not self._child.ended
        return {
            "rank": self.rank,
            "pid": self._child.pid if running else None,
            "epoch": self.epoch,
            "epochs": self.epochs,
            "finished": self.finished,
            "log": str(self.log),
            "restarts": self.restarts,
        }

    def _log_end(self):
        end = last_lines(self.log)
        return f"; its log, {self.log}, ends with{end}" if end else ""
