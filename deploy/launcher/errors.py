"""What can end a job early."""


class JobFailed(Exception):
    """The job cannot go on; the text is for the user."""


class Interrupted(Exception):
    """The user, or whoever runs us, wants the job to end."""

    def __init__(self, signal_number):
        super().__init__(f"stopped by signal {signal_number}")
        self.signal_number = signal_number

    @property
    def exit_code(self):
        return 128 + self.signal_number
