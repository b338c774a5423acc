"""Connections that lay idle are asked whether they live; busy ones are not."""

import pytest
from machinami.store import engine as module
from machinami.store.engine import open_engine, transaction
from sqlalchemy import Engine, text


def _kill_others(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
        )


def _one(engine: Engine) -> int:
    with transaction(engine) as connection:
        return connection.execute(text("SELECT 1")).scalar_one()


def test_a_connection_that_died_while_it_lay_idle_is_replaced(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    idle = open_engine(database_url)
    assert _one(idle) == 1
    _kill_others(engine)
    assert _one(idle) == 1
    idle.dispose()


def test_only_a_connection_that_lay_idle_is_asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(engine.dialect, "do_ping", lambda connection: asked.append(connection) or True)
    for _ in range(3):
        _one(engine)
    assert not asked
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    _one(engine)
    assert len(asked) == 1
