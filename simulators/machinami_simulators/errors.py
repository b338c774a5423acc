"""Errors that a person who types `machinami simulate` or `machinami replay` can act on."""


class SimulatorError(Exception):
    """Root of all errors raised on purpose here.

    Args:
        detail: one sentence that names the field and the value.
        cure: what to do instead, one sentence.
    """

    exit_code = 1

    def __init__(self, detail: str, cure: str = "") -> None:
        super().__init__(f"{detail}. {cure}" if cure else detail)


class InvalidOption(SimulatorError):
    """An option, a file name or a file's columns cannot be used: mend it, then type again."""

    exit_code = 2


class BrokerUnreachable(SimulatorError):
    """No MQTT broker answers: start the city, or name its address."""

    exit_code = 4


class AlreadyRunning(SimulatorError):
    """Another simulator plays this city's devices: stop it first, or use another data folder."""

    exit_code = 5
