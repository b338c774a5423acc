import sqlite3

import pytest
from machinami_simulators.ledger import Ledger
from machinami_simulators.wire import Message


def message(kind="paddy", payload=b"{}"):
    return Message(kind, "client", f"topic/{kind}", payload)


def read(path, query):
    database = sqlite3.connect(path)
    rows = database.execute(query).fetchall()
    database.close()
    return rows


def test_rows_are_there_before_the_message_leaves(tmp_path):
    with Ledger(tmp_path / "ledger", "simulate") as ledger:
        assert list(ledger.write([message(payload=b"a"), message(payload=b"b")])) == [1, 2]
        assert list(ledger.write([message("river-gauge", b"\xff")])) == [3]
        rows = read(
            ledger.path, "SELECT n, kind, topic, payload, sent_at > 1.7e9, acknowledged_at FROM message"
        )
    assert rows == [
        (1, "paddy", "topic/paddy", b"a", 1, None),
        (2, "paddy", "topic/paddy", b"b", 1, None),
        (3, "river-gauge", "topic/river-gauge", b"\xff", 1, None),
    ]


def test_an_acknowledgement_is_committed_with_the_next_write(tmp_path):
    with Ledger(tmp_path, "simulate") as ledger:
        ledger.write([message(), message()])
        ledger.acknowledge(2)
        assert read(ledger.path, "SELECT count(acknowledged_at) FROM message") == [(0,)]
        ledger.write([])
        assert read(ledger.path, "SELECT n FROM message WHERE acknowledged_at >= sent_at") == [(2,)]


def test_closing_commits_what_was_acknowledged(tmp_path):
    with Ledger(tmp_path, "simulate") as ledger:
        ledger.acknowledge(ledger.write([message()])[0])
    assert read(ledger.path, "SELECT count(acknowledged_at) FROM message") == [(1,)]


def test_each_run_has_a_file_of_its_own(tmp_path):
    with Ledger(tmp_path, "replay-fukui-river") as one, Ledger(tmp_path, "replay-fukui-river") as other:
        assert one.path != other.path
        assert one.path.name.startswith("replay-fukui-river-2")


def test_a_full_ledger_forgets_the_oldest_acknowledged_and_counts_them(tmp_path):
    with Ledger(tmp_path, "simulate", keep=100) as ledger:
        for kind in ("paddy", "river-gauge") * 6:
            numbers = ledger.write([message(kind)] * 20)
            for number in numbers[1:]:  # the first of each twenty is never acknowledged
                ledger.acknowledge(number)
    counts = "SELECT kind, count(*), count(acknowledged_at) FROM message GROUP BY kind"
    kept = {kind: (sent, acknowledged) for kind, sent, acknowledged in read(ledger.path, counts)}
    forgotten = {kind: (s, a) for kind, s, a in read(ledger.path, "SELECT * FROM forgotten")}
    assert sum(sent for sent, _ in kept.values()) <= 130
    for kind in ("paddy", "river-gauge"):
        assert kept[kind][0] + forgotten[kind][0] == 120
        assert kept[kind][1] + forgotten[kind][1] == 114
    assert read(ledger.path, "SELECT count(*) FROM message WHERE acknowledged_at IS NULL") == [(12,)]


def test_a_failed_write_is_not_swallowed(tmp_path):
    with Ledger(tmp_path, "simulate") as ledger, pytest.raises(sqlite3.Error):
        ledger.write([Message(None, "client", "topic", b"")])
