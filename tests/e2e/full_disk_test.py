"""A real full disk under a server: what is refused, what goes on, and that nothing is lost."""

import subprocess

from crash_fleet import Fleet
from small_disk import SmallDisk
from support import BIN_DIR, EndToEnd, main, wait_for

MIB = 1 << 20
DISK_MIB = 96
SERVER_FLAGS = [
    *("--archive", "--segment-bytes", MIB, "--flush-log-bytes", 4 * MIB, "--flush-log-ratio", 0, "--retry-ms", 20),
    *("--flush-file-rows", 2048, "--stop-timeout-ms", 2000),
]
LOAD_FLAGS = ["--in-flight", 8, "--rows", 64, "--keys", 20000]
PATIENT = ["--pushes-per-second", 200, "--request-timeout-ms", 600_000]
IMPATIENT = ["--pushes-per-second", 20, "--request-timeout-ms", 1500]
NO_SPACE = "No space left on device"


class FullDisk(EndToEnd):
    def setUp(self):
        super().setUp()
        self.disk = SmallDisk(self.folder / "disk", DISK_MIB)
        self.addCleanup(self.disk.unmount)

    def loaded_fleet(self):
        """One server of two shards on the small disk, under load; its clients' journals lie elsewhere.

        The first client outlives everything; the second one ends with the first push that fails.
        """
        fleet = Fleet(
            self.folder / "work",
            seed=5,
            servers=1,
            shards=2,
            loaders=2,
            server_flags=SERVER_FLAGS,
            load_flags=LOAD_FLAGS,
            data_folder=self.disk.path,
        )
        self.addCleanup(fleet.__exit__)
        fleet.start_servers()
        fleet.loaders[0].start(*PATIENT)
        fleet.loaders[0].wait_progress()
        return fleet, fleet.servers[0], fleet.loaders[0]

    def finish_and_judge(self, fleet):
        """All of it goes on, ends in order, and the oracle finds nothing amiss."""
        loader = fleet.loaders[0]
        loader.wait_progress()
        loader.stop()
        fleet.servers[0].stop()
        report = fleet.judge()
        self.assertEqual(report["error_count"], 0, report["errors"])
        return report

    def pulls_work(self, fleet):
        """A client that begins only now and pulls from every shard."""
        argv = [
            *(BIN_DIR / "rowhouse-crash-load", "--pull-only", "--pushes-max", 20),
            *("--servers", fleet.servers[0].endpoint, "--request-timeout-ms", 5000),
        ]
        done = subprocess.run(
            [str(part) for part in argv], capture_output=True, text=True, timeout=30, check=False
        )
        return done.returncode == 0 or done.stderr

    def fill_until_refused(self, fleet, bytes_left=0):
        """Until a push failed for want of space; what its client was told."""
        impatient = fleet.loaders[1]
        impatient.start(*IMPATIENT)
        impatient.wait_progress()
        self.disk.fill(bytes_left)
        wait_for(lambda: not impatient.running, "a refused push", 60)
        told = impatient.log_tail()
        self.assertIn(NO_SPACE, told)
        return told

    def test_pushes_wait_and_pulls_go_on_until_there_is_space(self):
        fleet, server, loader = self.loaded_fleet()
        for bytes_left in (0, 3 * MIB, 100_000):
            told = self.fill_until_refused(fleet, bytes_left)
            self.assertIn("retry", told)
            self.assertIs(self.pulls_work(fleet), True)
            self.assertTrue(server.running, server.log_tail())
            self.disk.free()
            loader.wait_progress()
            loader.wait_progress()
        report = self.finish_and_judge(fleet)
        self.assertGreater(report["parts_acknowledged"], 100)

    def test_kill_and_restart_on_a_full_disk(self):
        fleet, server, loader = self.loaded_fleet()
        self.fill_until_refused(fleet)
        server.kill()
        server.start()
        wait_for(lambda: server.ready_file.exists() or not server.running, "a start or an error", 60)
        if server.running:
            self.assertIs(self.pulls_work(fleet), True)
        else:
            self.assertIn(NO_SPACE, server.log_tail())
        self.disk.free()
        if not server.running:
            server.start()
            server.wait_ready()
        self.finish_and_judge(fleet)

    def test_a_stop_on_a_full_disk_says_so_and_loses_nothing(self):
        fleet, server, loader = self.loaded_fleet()
        self.fill_until_refused(fleet)
        server.child.terminate()
        self.assertEqual(server.child.wait(60), 1, server.log_tail())
        self.assertIn("stop_timeout_ms", server.log_tail())
        self.assertIn(NO_SPACE, server.log_tail())
        self.disk.free()
        server.start()
        server.wait_ready()
        self.finish_and_judge(fleet)

    def test_rows_on_a_disk_full_to_the_last_pages(self):
        self.disk.unmount()
        disk = SmallDisk(self.folder / "pages", 24)
        self.addCleanup(disk.unmount)
        argv = [BIN_DIR / "rowhouse-crash-fill", "--dir", disk.path, "--pages-max", 12]
        code, output = self.finish(self.start(argv), 120)
        self.assertEqual(code, 0, output)


if __name__ == "__main__":
    main()
