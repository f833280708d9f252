"""Work directories: tables, logs, and job.json, which says how to start on the tables again."""

import dataclasses
import json
import time
from pathlib import Path

from .errors import JobFailed
from .job import Plan
from .status import write_json

FORMAT = 1


def create(explicit, project):
    """A fresh work directory; `explicit` must be new or empty."""
    if explicit is None:
        return _fresh(project / "build" / "quickstart")
    try:
        explicit.mkdir(parents=True, exist_ok=True)
        if any(explicit.iterdir()):
            raise JobFailed(f"--work-dir {explicit} is not empty; name another, or --resume it")
    except OSError as error:
        raise JobFailed(f"--work-dir {explicit} cannot be made: {error.strerror}") from error
    return explicit.resolve()


def _fresh(parent):
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        try:
            path = parent / f"{stamp}{suffix}"
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
        except OSError as error:
            message = f"{path} cannot be made: {error.strerror}; name one with --work-dir"
            raise JobFailed(message) from error
    raise JobFailed(f"{parent} holds a hundred runs of this very second; name one with --work-dir")


def save_plan(work_dir, plan):
    value = {"format": FORMAT, **dataclasses.asdict(plan)}
    for name in ("bin_dir", "ratings", "items"):
        value[name] = None if value[name] is None else str(value[name])
    write_json(work_dir / "job.json", value)


def load_plan(work_dir, bin_dir):
    """The plan of an earlier run; the programs are today's."""
    path = Path(work_dir) / "job.json"
    try:
        value = json.loads(path.read_text())
        if value.pop("format") != FORMAT:
            raise JobFailed(f"{path} is of another version of the launcher")
        value["bin_dir"] = bin_dir
        value["ratings"] = Path(value["ratings"])
        value["items"] = None if value["items"] is None else Path(value["items"])
        return Plan(**value)
    except FileNotFoundError as error:
        message = f"--resume {work_dir}: there is no job.json, so no run was kept here"
        raise JobFailed(message) from error
    except (ValueError, KeyError, TypeError) as error:
        raise JobFailed(f"{path} cannot be read: {error}") from error
