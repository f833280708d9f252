"""deploy/install-deps: does nothing where there is nothing to do, and says why where it cannot."""

import os
import shutil
import unittest

from support import PROJECT, EndToEnd, main

SCRIPT = PROJECT / "deploy" / "install-deps"


class InstallDeps(EndToEnd):
    def run_script(self, *flags, **options):
        return self.finish(self.start([SCRIPT, *flags], **options))

    def test_nothing_to_do(self):
        for flags in ((), ("--test",)):
            code, output = self.run_script(*flags)
            self.assertEqual(code, 0, output)
            self.assertRegex(output, r"^install-deps: all \d+ packages are installed\n$")

    def test_lists_each_package_with_its_reason(self):
        code, output = self.run_script("--list", "--test")
        self.assertEqual(code, 0, output)
        for package in ("g++", "libboost1.81-dev", "librocksdb-dev", "libgtest-dev"):
            self.assertRegex(output, rf"(?m)^{package.replace('+', '[+]')}: \w")

    def test_unknown_flag(self):
        code, output = self.run_script("--frobnicate")
        self.assertEqual(code, 2)
        self.assertIn("--frobnicate", output)

    def test_no_root_and_no_sudo(self):
        """With packages missing (dpkg-query knows none), a user is told what root has to run."""
        if os.geteuid() != 0:
            raise unittest.SkipTest("skipped: needs root to become another user")
        tools = self.folder / "bin"
        tools.mkdir()
        self.folder.chmod(0o755)
        for tool in ("bash", "dirname", "id", "apt-get", "sed"):
            (tools / tool).symlink_to(shutil.which(tool))
        (tools / "dpkg-query").symlink_to(shutil.which("false"))
        code, output = self.finish(
            self.start(["/bin/bash", SCRIPT], env={"PATH": str(tools)}, user=65534, group=65534)
        )
        self.assertEqual(code, 1, output)
        self.assertIn("there is no sudo", output)
        self.assertIn("apt-get install --no-install-recommends g++", output)


if __name__ == "__main__":
    main()
