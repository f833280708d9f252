"""Finds the ratings to train on: where the user says, near the project, in the cache, at GroupLens.

    found = data.find(explicit=None, consent=data.Consent(...), say=print)

MovieLens belongs to GroupLens and is not part of this project: it is downloaded for one user, who
is shown its terms first, and kept in that user's cache.
"""

import hashlib
import http.client
import io
import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .errors import JobFailed

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
MD5 = "0e33842e24a9c977be4e0107933c0723"  # published beside the archive
ARCHIVE_BYTES_MAX = 32 << 20
TIMEOUT_SECONDS = 20

TERMS = f"""\
MovieLens 100K is made by GroupLens Research at the University of Minnesota. Its terms, in short:
use it for research, give credit in what you publish, do not redistribute it without their
permission, do not use it for commercial purposes without their permission, do not claim that they
endorse you; it comes without any warranty. The full terms are in the README of
{URL}"""

RATING_FILES = ("u.data", "ratings.dat", "ratings.csv")


@dataclass
class Found:
    """Ratings, and the titles that belong to them where there are any."""

    ratings: Path
    items: Path | None
    description: str
    best_rmse: list | None = None  # of generated data: a perfect model's, fold by fold


@dataclass
class Consent:
    """How the user agrees to the terms of a download."""

    given: bool = False
    interactive: bool = False

    def ask(self, say):
        say(TERMS)
        if self.given:
            say("Accepted by --accept-licence.")
            return True
        if not self.interactive:
            say("Nobody is here to accept them (--accept-licence does); not downloaded.")
            return False
        try:
            answer = input("Download it under these terms? [y/N] ")
        except EOFError:
            answer = ""
        return answer.strip().lower() in ("y", "yes")


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rowhouse"


def look_in(place):
    """Ratings at `place`: a file, a folder that holds them, or a folder that holds ml-100k/."""
    place = Path(place)
    if place.is_file():
        return _describe(place)
    for folder in (place, place / "ml-100k"):
        for name in RATING_FILES:
            if (folder / name).is_file():
                return _describe(folder / name)
    return None


def find(explicit, consent, project, say):
    """The first ratings found, or None: then the caller generates some."""
    if explicit is not None:
        return _required(explicit, "--data")
    if os.environ.get("ROWHOUSE_DATA"):
        return _required(os.environ["ROWHOUSE_DATA"], "$ROWHOUSE_DATA")
    for place in (project.parent / "shared" / "data", cache_dir()):
        found = look_in(place)
        if found:
            return found
    if not consent.ask(say):
        return None
    try:
        download(URL, MD5, cache_dir() / "ml-100k")
    except DownloadFailed as error:
        say(f"{error}\nWith a copy of your own: --data FOLDER, or ROWHOUSE_DATA=FOLDER.")
        return None
    return look_in(cache_dir())


class DownloadFailed(Exception):
    """Offline, not found, not what it should be."""


def download(url, md5, folder):
    """Fetches the archive, checks it, and keeps ratings, titles and terms in `folder`."""
    archive = _fetch(url)
    found = hashlib.md5(archive, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DownloadFailed(f"{url} has MD5 {found}, not {md5}: not used.")
    try:
        _unpack(archive, folder)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DownloadFailed(f"{url} cannot be unpacked into {folder}: {error}") from error


def _fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            archive = response.read(ARCHIVE_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        answer = f"{error.code} {error.reason}"
        raise DownloadFailed(f"{url} cannot be fetched: the server answers {answer}.") from error
    except (OSError, http.client.HTTPException) as error:  # the latter: no web server answers there
        reason = getattr(error, "reason", None) or error
        message = f"{url} cannot be fetched ({reason}); is this machine online?"
        raise DownloadFailed(message) from error
    if len(archive) > ARCHIVE_BYTES_MAX:
        raise DownloadFailed(f"{url} is larger than {ARCHIVE_BYTES_MAX >> 20} MB: not used.")
    return archive


def _unpack(archive, folder):
    """All of the three files or none: a folder of its own, renamed when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="download-", dir=folder.parent))
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            for name in ("u.data", "u.item", "README"):
                (fresh / name).write_bytes(members.read(f"ml-100k/{name}"))
        fresh.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _required(place, source):
    found = look_in(place)
    if not found:
        raise JobFailed(
            f"{source} names {place}, where there are no ratings: neither a file nor a folder with "
            f"{', '.join(RATING_FILES)} (or ml-100k/ with one of them)."
        )
    return found


def _describe(ratings):
    items = ratings.parent / "u.item"
    is_100k = ratings.name == "u.data" and ratings.parent.name == "ml-100k"
    name = "MovieLens 100K" if is_100k else "ratings"
    return Found(ratings.resolve(), items.resolve() if items.is_file() else None, name)


def stdin_is_a_person():
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def generated(folder, printed):
    """What rowhouse-worker generate made and printed."""
    facts = json.loads(printed)
    description = f"{facts['ratings']:,} generated ratings"
    return Found(folder / "u.data", folder / "u.item", description, facts["best_rmse"])
