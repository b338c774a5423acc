"""The index of subscriptions: what it finds, and that it follows every change to them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from machinami.linkage.rule_index import Index, Rules
from machinami.linkage.rules import compile_rule
from machinami.linkage.subscribing import create_subscription, delete_subscription, update_subscription
from machinami.model import Entity
from machinami.ngsild.context import CORE_URL
from machinami.store.queries_subscription import StoredSubscription
from sqlalchemy import Engine, text

T, U, LEVEL, OTHER = "urn:t:T", "urn:t:U", "urn:a:level", "urn:a:other"
ENTITY = Entity(id="urn:x:1", types=(T,), attributes={LEVEL: [], OTHER: []})


def _document(**more: Any) -> dict[str, Any]:
    return {"notification": {"endpoint": {"uri": "http://a"}}, **more}


def _selector(*types: str, ids: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    return [{"types": [types] if types else [], "ids": ids, "id_pattern": ""}]


def _rules(document: dict[str, Any]) -> Rules:
    now = datetime.now(UTC)
    stored = StoredSubscription(
        tenant=1, id="s", document=document, context=CORE_URL, status={}, created_at=now, modified_at=now
    )
    rules = Rules()
    rules.put(compile_rule(stored))
    return rules


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (_document(entities=_selector(T)), True),
        (
            _document(entities=_selector(T, U)),
            True,
        ),
        (_document(entities=_selector(U)), False),
        (_document(entities=_selector(T, ids=("urn:x:1",))), True),
        (_document(entities=_selector(T, ids=("urn:x:2",))), False),
        (_document(entities=_selector()), True),
        (_document(watchedAttributes=[LEVEL]), True),
        (_document(watchedAttributes=[OTHER]), False),
        (_document(watchedAttributes=[OTHER], notificationTrigger=["entityCreated"]), True),
        (_document(localOnly=True), True),
    ],
)
def test_candidates(document: dict[str, Any], found: bool) -> None:
    rules = _rules(document)
    assert bool(rules.candidates(ENTITY, [LEVEL])) is found
    rules.remove("s")
    assert not rules.candidates(ENTITY, [LEVEL])


def _ids(index: Index, engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return {rule.subscription_id for mine in index.rules(connection).values() for rule in mine}


def _create(engine: Engine, name: str) -> None:
    document = _document(watchedAttributes=[LEVEL])
    create_subscription(engine, "default", f"urn:s:{name}", document, CORE_URL)


def test_it_follows_changes(engine: Engine) -> None:
    index, other = Index(), Index()
    assert _ids(index, engine) == set()
    for name in "ab":
        _create(engine, name)
    assert _ids(index, engine) == {"urn:s:a", "urn:s:b"}
    paused = _document(watchedAttributes=[LEVEL], isActive=False)
    update_subscription(engine, "default", "urn:s:a", lambda _: (paused, CORE_URL))
    assert _ids(index, engine) == {"urn:s:b"}
    delete_subscription(engine, "default", "urn:s:b")
    assert _ids(index, engine) == _ids(other, engine) == set()


def test_it_begins_anew_where_the_changes_are_forgotten(engine: Engine) -> None:
    index = Index()
    _create(engine, "a")
    assert _ids(index, engine) == {"urn:s:a"}
    delete_subscription(engine, "default", "urn:s:a")
    _create(engine, "b")
    with engine.begin() as connection:
        kept = connection.execute(text("SELECT max(revision) FROM subscription_change")).scalar_one()
        connection.execute(text("DELETE FROM subscription_change WHERE revision < :kept"), {"kept": kept})
    assert _ids(index, engine) == {"urn:s:b"}
