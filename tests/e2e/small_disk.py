"""A small disk of one test: a tmpfs that nobody else sees and that goes away with the process."""

import ctypes
import os
import shutil
import subprocess
import unittest

CLONE_NEWNS = 0x00020000
PAGE_BYTES = 4096


class SmallDisk:
    """Mounted on `path`, an empty folder. Everything happens in a mount namespace of this process."""

    def __init__(self, path, mebibytes):
        self.path = path
        self._filler = path / "filler"
        if os.geteuid() != 0:
            raise unittest.SkipTest("skipped: mounting a small disk needs root")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise unittest.SkipTest(f"skipped: no right to make a mount namespace ({reason})")
        path.mkdir(parents=True, exist_ok=True)
        self._mount("--make-rprivate", "/")
        self._mount("-t", "tmpfs", "-o", f"size={mebibytes}m", "none", path)

    @staticmethod
    def _mount(*arguments):
        argv = ["mount", *(str(argument) for argument in arguments)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"skipped: no right to mount ({done.stderr.strip()})")

    def free_bytes(self):
        return shutil.disk_usage(self.path).free

    def fill(self, bytes_left=0):
        """Takes all space but `bytes_left` with one file."""
        with open(self._filler, "ab") as filler:
            wanted = self.free_bytes() - bytes_left
            while wanted >= PAGE_BYTES:
                try:
                    os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), wanted)
                except OSError:  # somebody else has written meanwhile
                    wanted //= 2
                else:
                    wanted = self.free_bytes() - bytes_left

    def free(self):
        self._filler.unlink(missing_ok=True)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)
