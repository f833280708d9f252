"""rowhouse-ps at its start: what it refuses, in which words, with which exit code."""

import json
import os
import resource
import signal
import socket
import unittest

from support import BIN_DIR, EndToEnd, main, wait_for

NOBODY = 65534


class ServerStart(EndToEnd):
    def server(self, data_dir, listen="127.0.0.1:0", *flags, **options):
        argv = [
            BIN_DIR / "rowhouse-ps",
            *("--listen", listen, "--data-dir", data_dir, "--shards", "1"),
            *("--server-index", "0", "--server-count", "1"),
            *flags,
        ]
        return self.start(argv, **options)

    def serving(self, data_dir, flags=(), **options):
        """A server that serves, and its endpoint."""
        ready_file = self.folder / "ready"
        flags = ["--ready-file", ready_file, *flags]
        process = self.server(data_dir, "127.0.0.1:0", *flags, **options)
        wait_for(lambda: ready_file.exists() or process.poll() is not None, "a server")
        self.assertIsNone(process.poll(), self.output(process))
        return process, json.loads(ready_file.read_text())["listen"][0]

    def assert_refused(self, process, *words, exit_code=1):
        code, output = self.finish(process, 30)
        self.assertEqual(code, exit_code, output)
        for word in words:
            self.assertIn(str(word), output)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused(self.server(self.folder / "d", endpoint), endpoint, "in use")

    def test_socket_path_that_is_somebodys_file(self):
        path = self.folder / "notes.txt"
        path.write_text("mine")
        self.assert_refused(self.server(self.folder / "d", f"unix:{path}"), path, "in use")
        self.assertEqual(path.read_text(), "mine")

    def test_socket_left_over_by_a_killed_server(self):
        path = self.folder / "socket"
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(str(path))
        ready_file = self.folder / "ready"
        process = self.server(self.folder / "d", f"unix:{path}", "--ready-file", ready_file)
        wait_for(lambda: ready_file.exists() or process.poll() is not None, "a server")
        self.assertIsNone(process.poll(), self.output(process))

    def connections_unix(self, endpoint, *flags):
        worker = self.start(
            [BIN_DIR / "rowhouse-worker", "stats", "--servers", endpoint, "--json", *flags]
        )
        code, output = self.finish(worker, 30)
        self.assertEqual(code, 0, output)
        line = next(line for line in output.splitlines() if line.startswith("{"))
        return json.loads(line)["shards"][0]["connections_unix"]

    def test_workers_of_this_host_find_the_local_socket_also_after_a_kill(self):
        path = self.folder / "d"
        for _ in range(2):
            process, endpoint = self.serving(path)
            self.assertEqual(self.connections_unix(endpoint), 1)
            self.assertEqual(self.connections_unix(endpoint, "--prefer-local=false"), 0)
            process.kill()
            process.wait()
            self.assertTrue((path / "local.sock").is_socket())
            (self.folder / "ready").unlink()
        _, endpoint = self.serving(path, flags=["--local-socket=false"])
        self.assertEqual(self.connections_unix(endpoint), 0)

    def test_memory_budget_too_small_to_work_with(self):
        path = self.folder / "d"
        server = self.server(path, "127.0.0.1:0", "--memory-bytes-max", (2 << 20) - 1)
        words = ("--memory-bytes-max is 2097151", "1 shard needs at least 2097152")
        self.assert_refused(server, *words, exit_code=2)
        self.assertFalse(path.exists())
        self.serving(path, flags=["--memory-bytes-max", 2 << 20])

    def test_data_dir_below_a_file(self):
        (self.folder / "file").touch()
        path = self.folder / "file" / "d"
        self.assert_refused(self.server(path), path)

    def test_data_dir_without_permission(self):
        path = self.folder / "locked"
        path.mkdir(mode=0o555)
        options = {}
        if os.geteuid() == 0:  # root may write anywhere
            self.folder.chmod(0o755)
            options = {"user": NOBODY, "group": NOBODY}
            if not os.access(BIN_DIR, os.X_OK):
                raise unittest.SkipTest("the programs cannot be reached by another user")
        self.assert_refused(self.server(path, **options), path, "ermission")

    def test_foreign_data_dir(self):
        path = self.folder / "photos"
        path.mkdir()
        (path / "holiday.jpg").write_text("not ours")
        self.assert_refused(self.server(path), path)
        self.assertEqual([entry.name for entry in path.iterdir()], ["holiday.jpg"])

    def test_data_dir_of_another_cluster_shape(self):
        path = self.folder / "d"
        process, _ = self.serving(path)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process)[0], 0)
        argv = [
            BIN_DIR / "rowhouse-ps",
            *("--listen", "127.0.0.1:0", "--data-dir", path, "--shards", "1"),
            *("--server-index", "0", "--server-count", "3"),
        ]
        self.assert_refused(self.start(argv), path)

    def test_two_servers_on_one_data_dir(self):
        path = self.folder / "d"
        first, _ = self.serving(path)
        self.assert_refused(self.server(path), path)
        self.assertIsNone(first.poll(), "the first server goes on")

    def test_more_connections_than_the_usual_descriptor_limit(self):
        usual, connections = 64, 100
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (usual, hard))

        process, endpoint = self.serving(self.folder / "d", preexec_fn=limit)
        host, port = endpoint.split(":")
        opened = [socket.create_connection((host, int(port))) for _ in range(connections)]
        for connection in opened:
            self.addCleanup(connection.close)
        descriptors = f"/proc/{process.pid}/fd"
        wait_for(lambda: len(os.listdir(descriptors)) > connections, "all connections to be accepted", 5)

    def test_wrong_flags(self):
        process = self.start([BIN_DIR / "rowhouse-ps", "--no-such-flag"])
        self.assert_refused(process, "no-such-flag", exit_code=2)

    def test_graceful_stop_and_return_to_the_same_port(self):
        path = self.folder / "d"
        first, endpoint = self.serving(path)
        first.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(first)[0], 0)
        (self.folder / "ready").unlink()
        second = self.server(path, endpoint, "--ready-file", self.folder / "ready")
        wait_for((self.folder / "ready").exists, "the server to serve again")
        second.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(second)[0], 0)
        self.assert_none_left()


if __name__ == "__main__":
    main()
