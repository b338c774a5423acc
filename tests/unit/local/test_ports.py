"""A port in use is refused by name, before anything starts."""

import socket

import pytest
from machinami.errors import SetupError
from machinami.local.ports import LOOPBACK, claim_port, free_port, is_free


def test_a_port_in_use_names_itself_and_its_option():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(SetupError, match=rf"port {port} on 127.0.0.1 is in use\..*--mqtt-port \d+"):
            claim_port(port, option="--mqtt-port")


def test_a_free_port_is_taken_as_it_is():
    port = free_port()
    assert claim_port(port, option="--api-port") == port


def test_port_zero_takes_a_free_one():
    assert is_free(claim_port(0, option="--api-port"))
