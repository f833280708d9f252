"""python3 -m launcher: see deploy/quickstart --help."""

import os
import signal
import sys

from . import options
from .errors import Interrupted, JobFailed
from .quickstart import Quickstart
from .report import Say


def main():
    parsed = options.parse(sys.argv[1:])
    say = Say()
    try:
        Quickstart(parsed, say).run()
        return 0
    except JobFailed as error:
        say(f"quickstart: {error}")
        return 1
    except Interrupted as stop:
        say(f"Stopped by {signal.Signals(stop.signal_number).name}; no process is left.")
        return stop.exit_code
    except BrokenPipeError:  # whoever read our lines is gone; nothing is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:  # before there was any process to stop
        say("Stopped.")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
