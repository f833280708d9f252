"""rowhouse-ps verify on the data directory of a real server: what it says, and its exit codes."""

import json
import signal

from support import BIN_DIR, EndToEnd, main, wait_for


class Verify(EndToEnd):
    def setUp(self):
        super().setUp()
        self.data_dir = self.folder / "data"

    def server(self):
        ready_file = self.folder / "ready"
        ready_file.unlink(missing_ok=True)
        argv = [
            BIN_DIR / "rowhouse-ps",
            *("--listen", "127.0.0.1:0", "--data-dir", self.data_dir, "--shards", "2"),
            *("--ready-file", ready_file),
        ]
        process = self.start(argv)
        wait_for(lambda: ready_file.exists() or process.poll() is not None, "a server")
        self.assertIsNone(process.poll(), self.output(process))
        return process, json.loads(ready_file.read_text())["listen"][0]

    def verify(self, *flags):
        argv = [BIN_DIR / "rowhouse-ps", "verify", "--data-dir", self.data_dir, *flags]
        return self.finish(self.start(argv), 60)

    def train(self, endpoint):
        data = self.folder / "ratings"
        argv = [BIN_DIR / "rowhouse-worker", "generate", "--out", data, "--seed", "1"]
        self.assertEqual(self.finish(self.start(argv))[0], 0)
        argv = [BIN_DIR / "rowhouse-worker", "train", "--servers", endpoint, "--data", data / "u.data"]
        code, output = self.finish(self.start([*argv, "--epochs", "1"]))
        self.assertEqual(code, 0, output)

    def test_whole_running_damaged_and_missing(self):
        process, endpoint = self.server()
        self.train(endpoint)
        code, output = self.verify()
        self.assertEqual(code, 2, output)
        self.assertIn("in use by another server", output)

        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process)[0], 0)
        code, output = self.verify()
        self.assertEqual(code, 0, output)
        self.assertEqual(output.count(": whole: "), 2, output)
        code, output = self.verify("--shard", "1", "--json")
        self.assertEqual(code, 0, output)
        verdict = json.loads(output)
        self.assertEqual((verdict["shard"], verdict["whole"], verdict["damage"]), (1, True, []))
        self.assertGreater(verdict["rows"], 0)

        for file in (self.data_dir / "shard-1" / "rows").glob("*.sst"):
            bytes_ = bytearray(file.read_bytes())
            bytes_[len(bytes_) // 2] ^= 1
            file.write_bytes(bytes_)
        code, output = self.verify()
        self.assertEqual(code, 1, output)
        self.assertEqual(output.count("DAMAGED"), 1, output)
        self.assertIn("damage: ", output)

    def test_wrong_use(self):
        for flags, words in (
            (("--shard", "7"), "shard-7"),
            ((), "cannot list"),
            (("--bogus",), "unknown flag"),
        ):
            code, output = self.verify(*flags)
            self.assertEqual(code, 2, output)
            self.assertIn(words, output)
        self.assertFalse(self.data_dir.exists())


main()
