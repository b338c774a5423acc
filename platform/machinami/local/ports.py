"""TCP ports on the loopback interface: found free, or refused with the option that changes them."""

import socket
from contextlib import ExitStack

from machinami.errors import SetupError

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """A port that nobody listens on now."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Whether a server could listen here now; lingering connections of an earlier one do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def claim_port(port: int, *, option: str) -> int:
    """The port, or a free one for 0.

    Raises:
        SetupError: somebody listens on it, or it is not ours to take.
    """
    if port == 0:
        return free_port()
    if not is_free(port):
        raise SetupError(
            f"port {port} on {LOOPBACK} is in use",
            field=option,
            value=port,
            cure=f"Stop what listens there, or choose another: {option} {free_port()}",
        )
    return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1.0).close()
    except OSError:
        return False
    return True
