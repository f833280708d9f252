"""Data directories of every released format are read; those of newer ones are refused by name.

format_sample.py has made what lies under tests/data.
"""

import json
import shutil
import subprocess

import format_sample
from support import BIN_DIR, PROJECT, EndToEnd, main

SAMPLES = sorted((PROJECT / "tests" / "data").glob("format-*"))


class StoredFormat(EndToEnd):
    def test_every_sample_is_read_as_it_was_written(self):
        self.assertTrue(SAMPLES, "no samples under tests/data")
        for sample in SAMPLES:
            with self.subTest(sample.name):
                expected = json.loads((sample / "expected.json").read_text())
                read, _ = format_sample.read_back(self.folder / sample.name, sample / "data")
                self.assertEqual(read["rows"], expected["rows"])
                self.assertEqual(read["windows"], expected["windows"])

    def test_samples_hold_what_they_are_for(self):
        for sample in SAMPLES:
            expected = json.loads((sample / "expected.json").read_text())
            self.assertEqual(set(expected["rows"]), {"users", "items"})
            self.assertTrue(all(expected["rows"].values()))
            refused = [push for push in expected["windows"] if "refused" in push]
            self.assertTrue(refused and len(refused) < len(expected["windows"]))
            bytes_kept = sum(path.stat().st_size for path in sample.rglob("*") if path.is_file())
            self.assertLess(bytes_kept, 100_000)

    def refuse(self, damage, *words):
        """A copy of the newest sample is damaged; the server must name that and not start."""
        fleet = format_sample.one_shard(self.folder / "copy")
        server = fleet.servers[0]
        shutil.copytree(SAMPLES[-1] / "data", server.data_dir)
        damage(server.shard_dirs[0])
        server.start()
        self.addCleanup(fleet.__exit__)
        self.assertEqual(server.child.wait(60), 1, server.log_tail())
        last_line = server.log_tail(1)
        for word in (*words, "newer"):
            self.assertIn(word, last_line)

    @staticmethod
    def doctor(command):
        argv = [str(BIN_DIR / "rowhouse-crash-doctor"), command, "--shard-dir"]
        return lambda shard_dir: subprocess.run([*argv, str(shard_dir)], check=True)

    def test_newer_identity_is_refused(self):
        def raise_format(shard_dir):
            identity = shard_dir / "IDENTITY"
            identity.write_text(identity.read_text().replace("format = 1\n", "format = 2\n"))

        self.refuse(raise_format, "IDENTITY", "format 2")

    def test_newer_log_is_refused(self):
        self.refuse(self.doctor("raise-log-format"), ".rwlog", "format 3")

    def test_newer_row_is_refused(self):
        self.refuse(self.doctor("raise-row-format"), "row of format 2")


if __name__ == "__main__":
    main()
