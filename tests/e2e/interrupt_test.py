"""However the launcher is stopped, no process is left."""

import signal

from support import QuickstartCase, main, wait_for

GONE_SECONDS = 40


class Interrupt(QuickstartCase):
    def stopped_by(self, number, exit_code, epoch=1):
        process = self.quickstart("--generated")
        self.wait_for_epoch(process, epoch)
        process.send_signal(number)
        code, output = self.finish(process, GONE_SECONDS)
        self.assertEqual(code, exit_code, output)
        self.assert_none_left()
        self.assertIn("no process is left", output)
        self.assertNotIn("Traceback", output)
        return output

    def test_ctrl_c_in_training(self):
        self.stopped_by(signal.SIGINT, 130)

    def test_sigterm_in_training(self):
        self.stopped_by(signal.SIGTERM, 143)

    def test_ctrl_c_while_servers_start(self):
        process = self.quickstart("--generated", "--servers", "4")
        wait_for(lambda: self.status()["servers"], "servers to be started")
        process.send_signal(signal.SIGINT)
        code, output = self.finish(process, GONE_SECONDS)
        self.assertEqual(code, 130, output)
        self.assert_none_left()

    def test_ctrl_c_while_serving(self):
        process = self.quickstart("--generated", "--epochs", "1", "--serve")
        ended = lambda: process.poll() is not None
        wait_for(lambda: ended() or self.status()["state"] == "serving", "serving", 120)
        self.assertIsNone(process.poll(), self.output(process))
        process.send_signal(signal.SIGINT)
        code, output = self.finish(process, GONE_SECONDS)
        self.assertEqual(code, 130, output)
        self.assert_none_left()

    def test_launcher_killed_outright(self):
        process = self.quickstart("--generated")
        self.wait_for_epoch(process, 1)
        process.kill()
        process.wait(GONE_SECONDS)
        self.assert_none_left(GONE_SECONDS)


if __name__ == "__main__":
    main()
