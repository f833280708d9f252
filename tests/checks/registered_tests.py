"""Every test file is part of a registered test, and every registered file exists.

    registered_tests.py ROOT LIST

LIST is written by CMake: the files it registered, one a line, relative to ROOT.
"""

import sys
from pathlib import Path

from sources import finish, root_argument


def main():
    root = root_argument()
    registered = set(Path(sys.argv[2]).read_text().split())
    there = {
        path.relative_to(root).as_posix()
        for pattern in ("*_test.cc", "*_test.py")
        for path in (root / "tests").rglob(pattern)
    }
    gone = {name for name in registered if not (root / name).is_file()}
    unknown = sorted(there - registered)
    complaints = [f"{name}: no registered test runs it; configure again" for name in unknown]
    complaints += [f"{name}: registered, but not there" for name in sorted(gone)]
    finish("registered tests", len(there), complaints)


main()
