"""Child processes, and one loop that hears of their lines, their ends and our own signals.

    loop = Loop()
    child = loop.start("worker 0", ["rowhouse-worker", ...], stderr=log)
    for event in loop.wait(seconds=1):
        ...

Single-threaded on purpose: children are forked from here with a death signal, which follows the
thread that forked, and a fork from a process with several threads could deadlock.
"""

import ctypes
import os
import selectors
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Line:
    """A line that a child wrote to stdout."""

    child: "Child"
    text: str


@dataclass
class Ended:
    """A child's end; all its lines came before."""

    child: "Child"
    returncode: int


@dataclass
class Stop:
    """Somebody sent us a signal to stop."""

    signal_number: int


class Child:
    """One running program. In a session of its own, so that Ctrl-C reaches the launcher alone."""

    def __init__(self, name, argv, stderr, death_signal):
        self.name = name
        self.ended = False
        self._partial = b""
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), death_signal),
        )
        os.set_blocking(self.stdout.fileno(), False)

    @property
    def pid(self):
        return self._process.pid

    @property
    def stdout(self):
        return self._process.stdout

    def poll(self):
        return self._process.poll()

    def read_lines(self):
        """The whole lines that are there; None where nothing is there yet. Closes at the end."""
        try:
            chunk = os.read(self.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return None
        if not chunk:
            self.stdout.close()
            chunk = b"\n" if self._partial else b""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def signal(self, number):
        if not self.ended and self._process.poll() is None:
            self._process.send_signal(number)


def _die_with(parent_pid, death_signal):
    """What the fork runs before the program: a signal when the launcher dies, however it does."""
    prctl = ctypes.CDLL(None).prctl

    def arm():
        prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent_pid:  # it died before we asked
            os._exit(1)

    return arm


class Loop:
    """Waits for events of all children started through it."""

    def __init__(self, tell_command):
        self._tell_command = tell_command
        self._children = []
        self._selector = selectors.DefaultSelector()
        self._signals, signals_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._signals, selectors.EVENT_READ)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(signals_in, warn_on_full_buffer=False)

    def start(self, name, argv, stderr, death_signal=signal.SIGKILL):
        self._tell_command(f"{name}: {shlex.join(argv)}")
        child = Child(name, argv, stderr, death_signal)
        self._children.append(child)
        self._selector.register(child.stdout, selectors.EVENT_READ, child)
        return child

    def running(self):
        return [child for child in self._children if not child.ended]

    def wait(self, seconds):
        """Events of at most `seconds`; an empty list where nothing happened."""
        events = []
        for key, _ in self._selector.select(max(0, seconds)):
            if key.data is None:
                events += self._read_signals()
            else:
                events += self._read_child(key.data) or []
        for child in self.running():
            if child.poll() is not None:
                events += self._bury(child)
        return events

    def stop_all(self, grace_seconds):
        """Ends every child: SIGTERM, and SIGKILL after `grace_seconds` or a second stop signal.

        Returns how each of them ended.
        """
        ends = []
        for child in self.running():
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while self.running() and time.monotonic() < deadline:
            events = self.wait(0.1)
            ends += [event for event in events if isinstance(event, Ended)]
            if any(isinstance(event, Stop) for event in events):
                break
        for child in self.running():
            child.signal(signal.SIGKILL)
        while self.running():
            ends += [event for event in self.wait(0.1) if isinstance(event, Ended)]
        return ends

    def _read_signals(self):
        return [Stop(n) for n in os.read(self._signals, 4096) if n in STOP_SIGNALS]

    def _read_child(self, child):
        stream = child.stdout
        fd = stream.fileno()
        lines = child.read_lines()
        if stream.closed:
            self._selector.unregister(fd)
        return lines if lines is None else [Line(child, text) for text in lines]

    def _bury(self, child):
        events = []
        while not child.stdout.closed:
            lines = self._read_child(child)
            if lines is None:  # something that the child started holds the pipe open
                self._selector.unregister(child.stdout)
                child.stdout.close()
            events += lines or []
        child.ended = True
        self._children.remove(child)
        return [*events, Ended(child, child.poll())]
