"""A job in which processes die: what is survived, and what ends it."""

import os
import signal

from support import QuickstartCase, main, wait_for

RMSE_TOLERANCE = 0.01
EPOCHS = 30  # long enough that there is time to disturb them


class Faults(QuickstartCase):
    def test_server_crash_ends_the_job(self):
        process = self.quickstart("--generated", "--epochs", EPOCHS)
        status = self.wait_for_epoch(process, 1)
        os.kill(status["servers"][1]["pid"], signal.SIGKILL)
        code, output = self.finish(process, 40)
        self.assertEqual(code, 1, output)
        self.assertIn("server 1", output)
        self.assertIn("was killed by SIGKILL", output)
        self.assert_none_left()

    def test_worker_killed_and_server_restarted_end_as_if_undisturbed(self):
        undisturbed, _ = self.succeed("--generated", "--epochs", EPOCHS)
        self.work_dir = self.folder / "disturbed"
        self.status_file.unlink()
        process = self.quickstart("--generated", "--epochs", EPOCHS)

        status = self.wait_for_epoch(process, 2)
        os.kill(status["workers"][1]["pid"], signal.SIGKILL)
        wait_for(lambda: self.status()["workers"][1]["restarts"] == 1, "worker 1 to be noticed")
        status = self.wait_for_epoch(process, 3)
        server = status["servers"][0]
        os.kill(server["pid"], signal.SIGTERM)

        code, output = self.finish(process, 240)
        self.assertEqual(code, 0, output)
        self.assert_none_left()
        self.assertIn("worker 1 was killed by SIGKILL; starting it again at epoch", output)
        self.assertIn(f"server 0 was stopped; starting it again on {server['listen']}", output)
        log = (self.work_dir / "logs" / "worker-0.log").read_text()
        self.assertIn("connecting again", log)
        self.assertNotIn("InitGoogleLogging", log)
        disturbed = self.figures()
        self.assertEqual(disturbed["restarts"], 2)
        difference = abs(disturbed["rmse"] - undisturbed["rmse"])
        self.assertLess(difference / undisturbed["rmse"], RMSE_TOLERANCE)

    def test_every_process_disturbed_in_turn(self):
        process = self.quickstart("--generated", "--epochs", EPOCHS)
        for index in (0, 1):
            status = self.wait_for_epoch(process, 1 + index)
            os.kill(status["workers"][index]["pid"], signal.SIGKILL)
            os.kill(status["servers"][index]["pid"], signal.SIGTERM)
            for kind in ("workers", "servers"):
                restarts = lambda k=kind, i=index: self.status()[k][i]["restarts"]
                wait_for(restarts, f"restarted {kind}")
        code, output = self.finish(process, 240)
        self.assertEqual(code, 0, output)
        self.assertEqual(self.figures()["restarts"], 4)
        self.assertLess(self.figures()["rmse"], self.figures()["rmse_bias_only"])
        self.assert_none_left()


if __name__ == "__main__":
    main()
