"""Sources are formatted as .clang-format says.

    format.py ROOT          to repair: clang-format -i FILE
"""

import re
import subprocess

from sources import finish, root_argument, sources


def main():
    root = root_argument()
    files = sources(root)
    command = ["clang-format", "--dry-run", "--style=file", *map(str, files)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: (?:warning|error)", run.stderr, re.MULTILINE)))
    complaints = [f"{name}: not formatted; run clang-format -i {name}" for name in wrong]
    if run.returncode != 0 and not wrong:
        complaints = [f"clang-format failed: {run.stderr.strip()}"]
    finish("format", len(files), complaints)


main()
