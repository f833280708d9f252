"""deploy/lib/bench_picture.py: every measured bar is in the picture, as long as its figure says."""

import json
import sys
import xml.etree.ElementTree as ElementTree

from support import PROJECT, EndToEnd, main

SCRIPT = PROJECT / "deploy" / "lib" / "bench_picture.py"
SVG = "{http://www.w3.org/2000/svg}"
PULLS = ("limit_raw_pull", "limit_asio_pull", "bare_pull", "pull", "pull_unix", "redis_mget", "torch_lookup")
PUSHES = ("limit_raw_push", "limit_asio_push", "bare_push", "push_memory", "push_log", "rocksdb_write")
PUSH_PEERS = ("redis_mset", "torch_step")


def rate(median):
    return {"median": median, "min": median * 0.5, "max": median * 2, "unit": "M rows/s"}


class BenchPicture(EndToEnd):
    def draw(self, headline):
        (self.folder / "headline.json").write_text(json.dumps(headline))
        paths = [self.folder / "headline.json", self.folder / "headline.svg"]
        return self.finish(self.start([sys.executable, "-B", SCRIPT, *paths]))

    def drawn(self, names):
        rates = {name: rate(at + 1) for at, name in enumerate(names)}
        machine = {"cpu": "A & B <fast>", "cpus": 2, "kernel": "6.18"}
        code, output = self.draw({"rates": rates, "machine": machine, "commit": "c0ffee"})
        self.assertEqual(code, 0, output)
        return ElementTree.parse(self.folder / "headline.svg").getroot()

    def bars(self, root):
        return [mark for mark in root.iter(f"{SVG}rect") if mark.get("class") == "bar"]

    def test_every_bar_with_its_label_and_whisker(self):
        root = self.drawn(PULLS + PUSHES + PUSH_PEERS)
        # Of the two limits the faster is drawn.
        self.assertEqual(len(self.bars(root)), len(PULLS + PUSHES + PUSH_PEERS) - 2)
        whiskers = [mark for mark in root.iter(f"{SVG}path") if mark.get("class") == "whisker"]
        self.assertEqual(len(whiskers), len(self.bars(root)))
        words = [mark.text for mark in root.iter(f"{SVG}text")]
        for label in ("Rowhouse, memory", "Rowhouse, log", "Redis MGET", "PyTorch Adagrad, in-process"):
            self.assertIn(label, words)
        self.assertIn("RocksDB WriteBatch, in-process", words)
        self.assertTrue(any("A & B <fast>" in word and "c0ffee" in word for word in words), words)

    def test_lengths_are_to_scale(self):
        root = self.drawn(PULLS)
        lengths = sorted(float(mark.get("width")) for mark in self.bars(root))
        medians = [2, 3, 4, 5, 6, 7]  # of the limits, 1 and 2, the faster
        for length, median in zip(lengths, medians, strict=True):
            self.assertAlmostEqual(length / lengths[0], median / 2, delta=0.01)
        self.assertLess(float(root.get("width")) / 2, 2 * lengths[-1])

    def test_without_peers(self):
        self.assertEqual(len(self.bars(self.drawn(("pull", "push_log")))), 2)

    def test_what_is_no_headline_is_refused(self):
        for headline in ({}, {"rates": {}}, {"rates": {"idle_cpu": rate(1)}}):
            code, output = self.draw(headline)
            self.assertEqual(code, 1)
            self.assertIn("headline.json: cannot be drawn", output)
            self.assertFalse((self.folder / "headline.svg").exists())


main()
