"""Numbers for Prometheus are served on a port that is free, or refused with the option that changes it."""

import urllib.request

import pytest
from machinami.errors import SetupError
from machinami.metrics import exposition, serving
from prometheus_client import Counter

PIGEONS = Counter("test_pigeons", "Birds on the roof")


def test_numbers_are_served_while_the_role_runs():
    PIGEONS.inc(3)
    with serving("127.0.0.1", 0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"\ntest_pigeons_total 3.0\n" in answer.read()
        with pytest.raises(SetupError, match=str(port)) as refused, serving("127.0.0.1", port):
            pass
        assert refused.value.field == "--metrics-port"
    with serving("127.0.0.1", port) as again:
        assert again == port


def test_each_process_tells_its_memory_and_cpu_time():
    assert b"process_resident_memory_bytes" in exposition()
    assert b"process_cpu_seconds_total" in exposition()
