"""A few rounds of kill -9 over a real cluster, and proof that their judge can say no.

crash_rounds.py is the program for many rounds; here it runs small.
"""

import shutil
import subprocess
import unittest

import crash_rounds
from support import BIN_DIR, EndToEnd, main

ROUNDS = 8


class Crash(EndToEnd):
    def test_nothing_is_lost_and_nothing_applied_twice(self):
        summary, work = crash_rounds.run(
            self.folder / "work", ROUNDS, seed=7, servers=2, shards=1, check_every=4
        )
        fleet = work.fleet
        print(summary)
        self.assertGreaterEqual(summary["checkpoints"], 2)
        self.assert_judge_sees_a_wrong_restore(work.checkpoints)
        self.assertEqual(summary["error_count"], 0)
        self.assertGreaterEqual(summary["kills_of_servers"], 3)
        self.assertGreaterEqual(summary["kills_of_load_processes"], 2)
        self.assertGreater(summary["parts_acknowledged"], 500)
        self.assertGreater(
            2 * summary["kills_that_hit_pushes_in_flight"], summary["kills_of_a_running_process"]
        )
        for damage, words in self.journal_damages().items():
            with self.subTest(damage):
                self.assert_judge_sees(fleet, words, damage=getattr(self, damage))
        for damage, words in self.data_damages().items():
            with self.subTest(damage):
                self.doctor(damage, fleet.shard_dirs[-1])
                self.assert_judge_sees(fleet, words)

    @staticmethod
    def journal_damages():
        return {
            "promise_more": "not in the log",
            "another_lsn": "stands in the log with LSN",
            "another_payload": "stands in the log with LSN",
        }

    @staticmethod
    def data_damages():
        return {"flip-weight-bit": "weight 0 is", "repeat-last-push": "stands in the log twice"}

    def assert_judge_sees(self, fleet, words, damage=None):
        journals = self.folder / "doctored"
        shutil.copytree(fleet.journals, journals)
        self.addCleanup(shutil.rmtree, journals, ignore_errors=True)
        if damage:
            damage(max(journals.iterdir(), key=lambda path: path.stat().st_size))
        report = fleet.judge(journals)
        shutil.rmtree(journals)
        self.assertGreater(report["error_count"], 0)
        self.assertIn(words, "\n".join(report["errors"]))

    def assert_judge_sees_a_wrong_restore(self, checkpoints):
        manifest, shard_dirs = checkpoints.last_restored
        self.doctor("flip-weight-bit", shard_dirs[0])
        self.assertIn("weight 0 is", "\n".join(checkpoints.errors_of(manifest, shard_dirs)))

    def doctor(self, damage, shard_dir):
        argv = [BIN_DIR / "rowhouse-crash-doctor", damage, "--shard-dir", shard_dir]
        subprocess.run([str(part) for part in argv], check=True)

    # Damages to a journal: words are a, ns, client, incarnation, sequence, shard, LSN, checksum, 0.

    def promise_more(self, journal):
        words = self.last_acknowledgement(journal)
        words[4] = str(int(words[4]) + 1_000_000)
        self.append(journal, words)

    def another_lsn(self, journal):
        self.change_last(journal, 6)

    def another_payload(self, journal):
        self.change_last(journal, 7)

    def change_last(self, journal, place):
        words = self.last_acknowledgement(journal)
        lines = journal.read_text().splitlines(keepends=True)
        lines.remove(" ".join(words) + "\n")
        journal.write_text("".join(lines))
        words[place] = str(int(words[place]) ^ 1)
        self.append(journal, words)

    @staticmethod
    def last_acknowledgement(journal):
        lines = journal.read_text().splitlines()
        return [line for line in lines if line.startswith("a ")][-1].split()

    @staticmethod
    def append(journal, words):
        kept = journal.read_text()
        journal.write_text(kept[: kept.rfind("\n") + 1] + " ".join(words) + "\n")


if __name__ == "__main__":
    main()
