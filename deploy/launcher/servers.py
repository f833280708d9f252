"""One server of the job: started, waited for, started again after a graceful stop."""

import json
import signal
import time

from .errors import JobFailed
from .log_files import last_lines

READY_SECONDS = 60
RESTARTS_MAX = 10
# A port that was ours may still be busy for a moment when a server comes back to it.
FAILED_RETURNS_MAX = 5
RETURN_DELAY_SECONDS = 0.5


class Server:
    """rowhouse-ps number `index` of the plan's servers, with a data directory of its own."""

    def __init__(self, loop, plan, index, work_dir):
        self._loop = loop
        self._plan = plan
        self._index = index
        self.name = f"server {index}"
        self.data_dir = work_dir / f"server-{index}"
        self.log = work_dir / "logs" / f"server-{index}.log"
        self._ready_file = work_dir / "logs" / f"server-{index}.ready"
        self._child = None
        self._listen = "127.0.0.1:0"  # after the first start: the port that it was given
        self._deadline = None
        self._start_at = None
        self._failed_returns = 0
        self.ready = False
        self.shards = []
        self.restarts = 0

    @property
    def endpoint(self):
        return self._listen

    def start(self):
        self._ready_file.unlink(missing_ok=True)
        self.ready = False
        self._start_at = None
        self._deadline = time.monotonic() + READY_SECONDS
        with open(self.log, "ab") as log:
            self._child = self._loop.start(self.name, self._argv(), log, signal.SIGTERM)

    def owns(self, child):
        return child is self._child

    def tick(self):
        """Starts it when its time has come, looks whether it serves, gives up after a deadline."""
        if self._start_at is not None:
            if time.monotonic() >= self._start_at:
                self.start()
        elif not self.ready and not self._read_ready_file() and time.monotonic() > self._deadline:
            raise JobFailed(
                f"{self.name} did not begin to serve within {READY_SECONDS} s; its log, "
                f"{self.log}, ends with{last_lines(self.log)}"
            )

    def ended(self, returncode, say):
        """A graceful stop is undone. A crash ends the job: what was not on disk may be lost."""
        was_ready, self.ready = self.ready, False
        if returncode == 0 and self.restarts < RESTARTS_MAX:
            self.restarts += 1
            say(f"{self.name} was stopped; starting it again on {self._listen}")
            self._start_at = time.monotonic()
            return
        returning = self.restarts > 0 and not was_ready and returncode == 1
        if returning and self._failed_returns < FAILED_RETURNS_MAX:
            self._failed_returns += 1
            self._start_at = time.monotonic() + RETURN_DELAY_SECONDS
            return
        raise JobFailed(
            f"{self.name} (pid {self._child.pid}) {describe_end(returncode)}; its log, {self.log}, "
            f"ends with{last_lines(self.log)}"
        )

    def status(self):
        return {
            "index": self._index,
            "pid": self._child.pid if self._child and not self._child.ended else None,
            "ready": self.ready,
            "listen": self._listen,
            "shards": self.shards,
            "data_dir": str(self.data_dir),
            "log": str(self.log),
            "restarts": self.restarts,
        }

    def argv_by_hand(self):
        """The same server for a user's own terminal, on its old port."""
        return [
            str(self._plan.bin_dir / "rowhouse-ps"),
            *("--listen", self._listen),
            *("--data-dir", str(self.data_dir)),
            *("--shards", str(self._plan.shards)),
            *("--server-index", str(self._index)),
            *("--server-count", str(self._plan.servers)),
        ]

    def _argv(self):
        return [*self.argv_by_hand(), "--ready-file", str(self._ready_file)]

    def _read_ready_file(self):
        try:
            ready = json.loads(self._ready_file.read_text())
        except FileNotFoundError:
            return False
        self._listen = ready["listen"][0]
        self.shards = ready["shards"]
        self.ready = True
        self._failed_returns = 0
        return True


def describe_end(returncode):
    """ "was killed by SIGKILL", "ended with exit code 3"."""
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"
