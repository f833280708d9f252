"""A cluster started by hand as docs/operations.md says, each program on a host of its own."""

import json
import signal

from network import Network
from support import BIN_DIR, EndToEnd, main, wait_for

PORT = 7600


class ClusterByHand(EndToEnd):
    def setUp(self):
        super().setUp()
        self.network = Network(("server0", "server1", "worker0", "worker1"))
        self.addCleanup(self._take_down)
        self.cluster_file = self.folder / "cluster.toml"
        servers = [f"{self.network.address(name)}:{PORT}" for name in ("server0", "server1")]
        lines = ("[cluster]", f"servers = {json.dumps(servers)}", "shards_per_server = 1")
        self.cluster_file.write_text("\n".join(lines))

    def _take_down(self):
        self._end_leftovers()  # a namespace with processes in it would outlive its name
        self.network.remove()

    def on(self, host, program, *flags):
        return self.start([*self.network.inside(host), BIN_DIR / program, *flags])

    def start_server(self, index):
        ready_file = self.folder / f"ready-{index}"
        process = self.on(
            f"server{index}",
            "rowhouse-ps",
            *("--cluster", self.cluster_file, "--server-index", index),
            *("--data-dir", self.folder / f"data-{index}", "--ready-file", ready_file),
        )
        return process, ready_file

    def start_servers(self):
        started = [self.start_server(index) for index in (0, 1)]
        for process, ready_file in started:
            wait_for(lambda p=process, r=ready_file: r.exists() or p.poll() is not None, "a server")
            self.assertIsNone(process.poll(), self.output(process))
        return [process for process, _ in started]

    def work(self, rank, command, *flags):
        return self.on(
            f"worker{rank}",
            "rowhouse-worker",
            command,
            *("--cluster", self.cluster_file, "--data", self.folder / "ratings" / "u.data"),
            *("--folds", 5, "--fold", 0, "--json"),
            *flags,
        )

    def connections_unix(self, host):
        """For each shard: connections over Unix sockets, where somebody on `host` asks."""
        stats = self.on(host, "rowhouse-worker", "stats", "--cluster", self.cluster_file, "--json")
        code, output = self.finish(stats)
        self.assertEqual(code, 0, output)
        line = next(line for line in output.splitlines() if line.startswith("{"))
        return [shard["connections_unix"] for shard in json.loads(line)["shards"]]

    def test_two_servers_and_two_workers_on_four_hosts(self):
        flags = ("--out", self.folder / "ratings", "--json")
        generate = self.start([BIN_DIR / "rowhouse-worker", "generate", *flags])
        code, output = self.finish(generate)
        self.assertEqual(code, 0, output)
        best = json.loads(output)["best_rmse"][0]

        servers = self.start_servers()
        workers = [self.work(rank, "train", "--rank", rank, "--world", 2) for rank in (0, 1)]
        for worker in workers:
            code, output = self.finish(worker, 180)
            self.assertEqual(code, 0, output)
            self.assertIn('"done"', output)

        code, output = self.finish(self.work(0, "evaluate"))
        self.assertEqual(code, 0, output)
        scores = json.loads(output)
        self.assertLess(scores["rmse"], scores["rmse_bias_only"])
        self.assertLess(scores["rmse"], best * 1.11)

        # All hosts share a file system here, and yet no way around the network is taken.
        self.assertEqual(self.connections_unix("worker0"), [0, 0])
        self.assertEqual(self.connections_unix("server1"), [0, 1])

        for server in servers:
            server.send_signal(signal.SIGTERM)
        for server in servers:
            code, output = self.finish(server)
            self.assertEqual(code, 0, output)
        self.assert_none_left()


if __name__ == "__main__":
    main()
