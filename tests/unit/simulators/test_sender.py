import socket
import threading
import time
from contextlib import suppress

import pytest
from machinami_simulators.errors import BrokerUnreachable
from machinami_simulators.ledger import Ledger
from machinami_simulators.sender import Sender, reach
from machinami_simulators.wire import Message
from unit.simulators.helpers import Subscriber, ledger_rows, running, wait_for


@pytest.fixture
def sender(broker, tmp_path):
    with (
        Ledger(tmp_path / "ledger", "test") as ledger,
        Sender("127.0.0.1", broker.port, ledger, window=20) as made,
    ):
        yield made


def put(sender, count, devices=5):
    for n in range(count):
        device = f"device-{n % devices}"
        sender.put(Message("paddy", device, f"test/{device}", str(n).encode()))


def finish(sender, seconds=30.0):
    end = time.monotonic() + seconds
    while (sender.backlog or sender.unacknowledged) and time.monotonic() < end:
        sender.turn(0.05)
    return not sender.backlog and not sender.unacknowledged


def test_everything_is_sent_acknowledged_and_in_the_ledger(sender, tmp_path):
    put(sender, 500)
    assert finish(sender)
    assert (sender.sent, sender.acknowledged) == (500, 500)
    assert sender.drain(1)
    rows = ledger_rows(tmp_path)
    assert sorted(int(payload) for _, _, payload, _ in rows) == list(range(500))
    assert all(acknowledged for *_, acknowledged in rows)


def test_a_device_keeps_its_order(sender, broker):
    received = Subscriber(broker.port)
    put(sender, 300)
    assert finish(sender)
    wait_for(lambda: len(received.payloads) >= 300, "the messages to arrive")
    received.close()
    for device in range(5):
        own = [int(p) for topic, p in received.payloads if topic == f"test/device-{device}"]
        assert own == sorted(own)


def test_no_more_than_the_window_is_under_way(sender):
    put(sender, 200, devices=1)
    while sender.backlog:
        sender.turn(0.01)
        assert sender.unacknowledged <= 20


def test_a_broker_that_restarts_gets_the_rest(sender, broker, capsys):
    put(sender, 2000)
    while sender.acknowledged < 300:
        sender.turn(0.05)
    broker.kill()
    for _ in range(10):
        sender.turn(0.05)
    broker.start()
    assert finish(sender)
    assert (sender.sent, sender.acknowledged) == (2000, 2000)
    assert capsys.readouterr().err.count("is away") == 1


def test_nothing_more_is_sent_while_draining(sender):
    put(sender, 500)
    while not sender.sent:
        sender.turn(0.05)
    assert sender.drain(10)
    assert sender.acknowledged == sender.sent < 500


def test_after_kill_9_every_message_that_arrived_is_in_the_ledger(broker, tmp_path):
    recording = tmp_path / "long.csv"
    recording.write_text("日時,河川水位,id\n" + "".join(f"t,{n},{n % 9}\n" for n in range(60_000)))
    received = Subscriber(broker.port)
    where = ["--data-dir", tmp_path, "--mqtt-port", broker.port]
    with running("replay", "fukui-river", recording, "--speed", "max", *where):
        wait_for(lambda: len(received.payloads) > 500, "the replay to begin")
    time.sleep(0.3)  # what is on its way to the subscriber
    received.close()
    rows = ledger_rows(tmp_path)
    assert {(topic, payload) for topic, payload in received.payloads} <= {(row[1], row[2]) for row in rows}
    assert len(rows) < 60_000


def test_nobody_there_is_said(tmp_path):
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1 .*machinami up.*--mqtt-port"):
        reach("127.0.0.1", 1)


def test_a_broker_that_refuses_is_said_and_tried_again(capsys, tmp_path):
    """CONNACK 5, not authorized (MQTT 3.1.1, table 3.1)."""

    def refuse(server):
        peer, _ = server.accept()
        with peer:
            peer.sendall(bytes((0x20, 2, 0, 5)))

    with socket.create_server(("127.0.0.1", 0)) as server, Ledger(tmp_path, "test") as ledger:
        answer = threading.Thread(target=refuse, args=(server,))
        answer.start()
        with Sender("127.0.0.1", server.getsockname()[1], ledger, window=1) as sender:
            put(sender, 1)
            for _ in range(20):
                sender.turn(0.05)
            assert sender.sent == 0
        answer.join()
    assert "refused: not authorized" in capsys.readouterr().err


def test_what_a_slow_socket_does_not_take_follows_later(tmp_path):
    """A broker that reads nothing for a while gets everything in the end, in order, once."""
    with socket.create_server(("127.0.0.1", 0)) as server, Ledger(tmp_path, "test") as ledger:
        with Sender("127.0.0.1", server.getsockname()[1], ledger, window=4000) as sender:
            for n in range(4000):
                sender.put(Message("paddy", "device", "t", bytes(2000) + n.to_bytes(2)))
            sender.turn(0)
            peer, _ = server.accept()
            peer.recv(100)
            peer.sendall(bytes((0x20, 2, 0, 0)))
            for _ in range(5):
                sender.turn(0.01)
            read = bytearray()
            peer.settimeout(0.02)
            while len(read) < 4000 * 2010:
                sender.turn(0)
                with suppress(TimeoutError):
                    read += peer.recv(1 << 20)
            peer.close()
        assert [read[k * 2010 + 2008 : k * 2010 + 2010] for k in (0, 1999, 3999)] == [
            n.to_bytes(2) for n in (0, 1999, 3999)
        ]
