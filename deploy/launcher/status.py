"""The status file: what runs, under which pid, where it listens, how far it is."""

import json
import os
import tempfile
from pathlib import Path


def write_json(path, value):
    """Replaces `path` at once: a reader sees the old or the new text, never half of one."""
    path = Path(path)
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent or ".")
    try:
        with os.fdopen(handle, "w") as out:
            json.dump(value, out, indent=2)
            out.write("\n")
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


class StatusFile:
    """Keeps a file up to date with a job; does nothing where the user asked for none."""

    def __init__(self, path):
        self._path = path
        self._last = None

    def update(self, state, servers, workers):
        if self._path is None:
            return
        value = {
            "pid": os.getpid(),
            "state": state,
            "servers": [server.status() for server in servers],
            "workers": [worker.status() for worker in workers],
        }
        if value != self._last:
            write_json(self._path, value)
            self._last = value
