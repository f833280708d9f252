"""Checkpoints with real processes: made by rowhousectl and by a training job, resumed from."""

import json
import os
import secrets
import signal
import socket
from pathlib import Path

from support import BIN_DIR, EndToEnd, main, wait_for

SHARDS_PER_SERVER = 1
MODEL = ("--dim", 8, "--seed", 3, "--prefetch-steps", 2, "--folds", 2, "--fold", 0)
CLIENT_ID = 77


class Cluster:
    """Servers on ports of their own, each with a directory below `folder`."""

    def __init__(self, test, folder, count):
        self.test = test
        self.folder = Path(folder)
        self.count = count
        self.processes = [None] * count
        self.listen = ["127.0.0.1:0"] * count
        for index in range(count):
            self.launch(index)
        self.wait()

    def flags(self, index):
        return (
            *("--data-dir", self.folder / f"server-{index}", "--shards", SHARDS_PER_SERVER),
            *("--server-index", index, "--server-count", self.count),
        )

    def ready_file(self, index):
        return self.folder / f"ready-{index}"

    def launch(self, index):
        self.folder.mkdir(exist_ok=True)
        self.ready_file(index).unlink(missing_ok=True)
        self.processes[index] = self.test.start(
            [BIN_DIR / "rowhouse-ps", "--listen", self.listen[index], *self.flags(index)]
            + ["--ready-file", self.ready_file(index)]
        )

    def wait(self):
        for index, process in enumerate(self.processes):
            ready = self.ready_file(index)
            wait_for(lambda r=ready, p=process: r.exists() or p.poll() is not None, "a server")
            self.test.assertIsNone(process.poll(), self.test.output(process))
            self.listen[index] = json.loads(ready.read_text())["listen"][0]

    @property
    def servers(self):
        return ",".join(self.listen)

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            code, output = self.test.finish(process)
            self.test.assertEqual(code, 0, output)


class Checkpoints(EndToEnd):
    def setUp(self):
        super().setUp()
        self.directory = self.folder / "checkpoints"
        self.run_program("rowhouse-worker", "generate", "--out", self.folder / "ratings")
        self.data = self.folder / "ratings" / "u.data"

    def run_program(self, program, *argv, code=0):
        ended, output = self.finish(self.start([BIN_DIR / program, *argv]))
        self.assertEqual(ended, code, output)
        return output

    def ctl(self, *argv, code=0):
        return self.run_program("rowhousectl", *argv, code=code)

    def ctl_json(self, *argv, code=0):
        output = self.ctl(*argv, "--json", code=code)
        return json.loads([line for line in output.splitlines() if line.startswith("{")][0])

    def train(self, cluster, *flags, batch_rows=64):
        return self.start(
            [BIN_DIR / "rowhouse-worker", "train", "--servers", cluster.servers]
            + ["--data", self.data, *MODEL, "--batch-rows", batch_rows]
            + ["--client-id", CLIENT_ID, "--json", *flags]
        )

    def by_steps(self, directory, steps=100):
        return ("--checkpoint-dir", directory, "--checkpoint-every-steps", steps)

    def score(self, cluster):
        """The error over the half that was held out, to the last digit: it is made of the rows of
        nearly every user and item, and no bit of a row can differ unseen."""
        output = self.run_program(
            "rowhouse-worker",
            *("evaluate", "--servers", cluster.servers, "--data", self.data, *MODEL, "--json"),
        )
        return json.loads(output.splitlines()[-1])["rmse"]

    def events(self, process, kind):
        lines = self.output(process).splitlines()
        parsed = [json.loads(line) for line in lines if line.startswith('{"event"')]
        return [event for event in parsed if event["event"] == kind]

    def restore(self, folder, count, number=None):
        """New data directories for `count` servers from the newest checkpoint, or `number`."""
        folder.mkdir()
        chosen = ("--checkpoint", number) if number else ()
        timeline = ("--timeline", secrets.token_hex(8)) if count > 1 else ()
        for index in range(count):
            self.ctl(
                *("checkpoint", "restore", "--dir", self.directory, *chosen),
                *("--data-dir", folder / f"server-{index}", "--shards", SHARDS_PER_SERVER),
                *("--server-index", index, "--server-count", count, *timeline),
            )
        return Cluster(self, folder, count)

    # --- rowhousectl

    def test_made_listed_verified_and_pruned_while_a_job_trains(self):
        cluster = Cluster(self, self.folder / "a", 3)
        job = self.train(cluster, "--epochs", 1000)
        wait_for(lambda: self.events(job, "epoch_end"), "an epoch")
        for number in (2, 3, 4):  # a job's marks begin with 1
            flags = ("--servers", cluster.servers, "--dir", self.directory, "--user-data", "mine")
            made = self.ctl_json("checkpoint", "create", *flags)
            self.assertEqual(made["checkpoint"], number)
            self.assertEqual(made["shards"], 3)
            self.assertEqual(made["half_steps"], [])
        self.assertIsNone(job.poll(), self.output(job))

        listed = self.ctl_json("checkpoint", "list", "--dir", self.directory)["checkpoints"]
        self.assertEqual([entry["checkpoint"] for entry in listed], [2, 3, 4])
        self.assertEqual(listed[0]["user_data"], "mine")
        self.assertIn("mine", self.ctl("checkpoint", "list", "--dir", self.directory))
        self.assertIn("good", self.ctl("checkpoint", "verify", "--dir", self.directory, "--all"))

        kept = self.ctl_json("checkpoint", "prune", "--dir", self.directory, "--keep", 1)
        self.assertEqual((kept["kept"], kept["removed"]), ([4], [2, 3]))
        self.ctl("checkpoint", "verify", "--dir", self.directory)

        victim = max((self.directory / "files").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.chmod(0o644)
        copy = self.folder / "damaged"
        copy.write_bytes(content)
        os.replace(copy, victim)  # the file itself may be a server's own, linked
        verdict = self.ctl_json("checkpoint", "verify", "--dir", self.directory, code=1)
        self.assertEqual(len(verdict["damages"]), 1)
        self.assertIn(victim.name, verdict["damages"][0])

        os.kill(job.pid, signal.SIGTERM)
        job.wait()
        cluster.stop()
        self.assert_none_left()

    def test_a_killed_worker_is_left_behind(self):
        cluster = Cluster(self, self.folder / "a", 2)
        job = self.train(cluster, "--epochs", 1000)
        wait_for(lambda: self.events(job, "epoch_end"), "an epoch")
        job.kill()
        job.wait()
        flags = ("--servers", cluster.servers, "--dir", self.directory)
        made = self.ctl_json("checkpoint", "create", *flags, "--leave-after-ms", 500)
        self.assertEqual([left["client"] for left in made["left"]], [CLIENT_ID])
        cluster.stop()

    def test_no_checkpoint_waits_for_a_worker_that_was_stopped(self):
        cluster = Cluster(self, self.folder / "a", 2)
        job = self.train(cluster, "--epochs", 1000)
        wait_for(lambda: self.events(job, "epoch_end"), "an epoch")
        job.send_signal(signal.SIGTERM)
        code, output = self.finish(job)
        self.assertEqual(code, 143, output)
        flags = ("--servers", cluster.servers, "--dir", self.directory, "--timeout-ms", 20000)
        made = self.ctl_json("checkpoint", "create", *flags, "--leave-after-ms", 0)
        self.assertEqual((made["left"], made["half_steps"]), ([], []))
        cluster.stop()

    def test_the_server_program_takes_the_place_of_rowhousectl(self):
        program = self.folder / "ps"
        program.write_text('#!/bin/sh\necho "$$ $@"\nexit 7\n')
        program.chmod(0o755)
        started = self.start([BIN_DIR / "rowhousectl", "verify", "--rowhouse-ps", program, "-x"])
        code, output = self.finish(started)
        self.assertEqual((code, output.strip()), (7, f"{started.pid} verify -x"))

    def test_what_is_wrong_has_exit_code_1_and_bad_usage_2(self):
        missing = self.folder / "nowhere"
        self.assertIn("nowhere", self.ctl("checkpoint", "list", "--dir", missing, code=1))
        self.assertIn("--dir", self.ctl("checkpoint", "list", code=2))
        self.assertIn("subcommand", self.ctl(code=2))
        flags = ("--servers", "127.0.0.1:1", "--dir", self.directory, "--connect-timeout-ms", 200)
        self.assertIn("127.0.0.1:1", self.ctl("checkpoint", "create", *flags, code=1))
        verify = ("checkpoint", "verify", "--dir", self.folder)
        self.assertIn("no checkpoint", self.ctl(*verify, "--all", code=1))
        self.assertIn("checkpoint 7", self.ctl(*verify, "--checkpoint", 7, code=1))
        self.ctl(*verify, "--all", "--checkpoint", 7, code=2)
        # Nothing was found to be damaged, and nothing to be whole.
        self.assertIn("cannot run", self.ctl("verify", "--rowhouse-ps", missing, code=2))
        self.assertIn("cannot list", self.ctl("verify", "--data-dir", missing, code=2))

    def test_is_cancelled_while_a_worker_stands_still(self):
        cluster = Cluster(self, self.folder / "a", 2)
        job = self.train(cluster, "--epochs", 1000)
        wait_for(lambda: self.events(job, "epoch_end"), "an epoch")
        job.send_signal(signal.SIGSTOP)
        flags = ("--servers", cluster.servers, "--dir", self.directory, "--leave-after-ms", 0)
        create = self.start([BIN_DIR / "rowhousectl", "checkpoint", "create", *flags])
        wait_for(lambda: (self.directory / "LOCK").exists(), "the beginning")
        create.send_signal(signal.SIGINT)
        code, output = self.finish(create, 20)
        self.assertEqual(code, 1, output)
        self.assertIn("cancelled", output)
        job.send_signal(signal.SIGCONT)
        self.assertEqual(self.ctl_json("checkpoint", "create", *flags)["left"], [])
        cluster.stop()

    def test_a_signal_ends_it_while_there_is_no_connection(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            flags = ("--servers", f"127.0.0.1:{silent.getsockname()[1]}", "--dir", self.directory)
            create = self.start([BIN_DIR / "rowhousectl", "checkpoint", "create", *flags])
            peer, _ = silent.accept()
            create.send_signal(signal.SIGINT)
            self.assertEqual(create.wait(5), -signal.SIGINT)
            peer.close()

    # --- a training job

    def test_a_resumed_run_ends_with_the_bits_of_the_uninterrupted_one(self):
        whole = Cluster(self, self.folder / "whole", 3)
        flags = ("--epochs", 4, *self.by_steps(self.folder / "of-whole"))
        code, output = self.finish(self.train(whole, *flags))
        self.assertEqual(code, 0, output)
        expected = self.score(whole)
        whole.stop()

        cluster = Cluster(self, self.folder / "a", 3)
        flags = ("--epochs", 4, *self.by_steps(self.directory))
        job = self.train(cluster, *flags)
        made = wait_for(lambda: self.events(job, "checkpoint"), "a checkpoint")
        self.assertNotIn("error", made[0])
        wait_for(lambda: len(self.events(job, "checkpoint")) > 3, "some more")
        job.kill()
        job.wait()
        cluster.kill()
        self.ctl("checkpoint", "verify", "--dir", self.directory, "--all")

        numbers = [
            entry["checkpoint"]
            for entry in self.ctl_json("checkpoint", "list", "--dir", self.directory)["checkpoints"]
        ]
        for count, number in ((3, numbers[0]), (1, numbers[-1]), (5, numbers[1])):
            restored = self.restore(self.folder / f"restored-{count}", count, number)
            go_on = (*self.by_steps(self.folder / f"of-{count}"), "--epochs", 4, "--resume")
            code, output = self.finish(self.train(restored, *go_on))
            self.assertEqual(code, 0, output)
            self.assertIn("going on after step", output)
            self.assertEqual(self.score(restored), expected)
            restored.stop()
        self.assert_none_left()

    def test_a_job_makes_checkpoints_by_time_and_keeps_the_newest(self):
        cluster = Cluster(self, self.folder / "a", 2)
        flags = ("--checkpoint-dir", self.directory, "--checkpoint-every-ms", 100)
        job = self.train(cluster, "--epochs", 1000, *flags, "--checkpoint-keep", 2)
        wait_for(lambda: len(self.events(job, "checkpoint")) >= 4, "four checkpoints")
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
        for event in self.events(job, "checkpoint"):
            self.assertNotIn("error", event)
        self.ctl("checkpoint", "verify", "--dir", self.directory, "--all")
        listed = self.ctl_json("checkpoint", "list", "--dir", self.directory)["checkpoints"]
        self.assertLessEqual(len(listed), 3)
        self.assertEqual(json.loads(listed[0]["user_data"])["job"]["batch_rows"], 64)
        cluster.stop()

    def test_resume_says_what_hinders_it(self):
        cluster = Cluster(self, self.folder / "a", 1)
        code, output = self.finish(self.train(cluster, "--resume"))
        self.assertEqual(code, 1, output)
        self.assertIn("nothing to resume", output)

        flags = self.by_steps(self.directory)
        code, output = self.finish(self.train(cluster, "--epochs", 1, *flags))
        self.assertEqual(code, 0, output)
        other = self.train(cluster, "--epochs", 2, *flags, "--resume", batch_rows=32)
        code, output = self.finish(other)
        self.assertEqual(code, 1, output)
        self.assertIn("batch_rows 64, this one has 32", output)
        code, output = self.finish(self.train(cluster, "--epochs", 2, *flags, "--resume"))
        self.assertEqual(code, 0, output)
        cluster.stop()


if __name__ == "__main__":
    main()
