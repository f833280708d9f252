"""Log files of the children."""


def last_lines(path, count=5):
    """The end of a log, indented for a message; empty where there is none."""
    try:
        lines = path.read_text(errors="replace").rstrip().splitlines()
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in lines[-count:])
