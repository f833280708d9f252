"""What the checks share: which sources there are, what they include, how complaints are told."""

import re
import sys
from pathlib import Path

FOLDERS = ("common", "storage", "ps", "worker")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def sources(root, folders=(*FOLDERS, "tests"), suffixes=(".h", ".cc")):
    """Paths relative to `root`, sorted."""
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(root))
    return sorted(found)


def includes(path):
    """(line number, included path) of every #include."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(n, m.group(1)) for n, line in enumerate(lines, 1) if (m := INCLUDE.match(line))]


def finish(name, checked, complaints):
    """Prints, and exits: 0 where nothing is wrong. Having seen no file at all is wrong, too."""
    if not checked:
        complaints = [f"{name}: found nothing to check"]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{name}: {checked} checked, {len(complaints)} wrong")
    sys.exit(1 if complaints else 0)


def root_argument():
    return Path(sys.argv[1]).resolve()
