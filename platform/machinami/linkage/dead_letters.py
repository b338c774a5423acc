"""Dead letters: notifications given up, and what an operator can do about them."""

import msgspec
from sqlalchemy import Engine

from machinami.errors import BadRequestData, NotFound
from machinami.linkage.read import Page, tenant_of
from machinami.store import queries_outbox as queries
from machinami.store.engine import transaction
from machinami.store.queries_outbox import Dead, DeadLetter
from machinami.store.reading import reading

__all__ = ["Dead", "DeadLetter"]


class FoundDeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """One page of dead letters, newest first; see `machinami.linkage.read.Found`."""

    letters: list[DeadLetter]
    more: bool
    total: int


def chosen(subscription: str | None, *, everything: bool = False) -> Dead:
    """The dead letters of a subscription, or all of them.

    Raises:
        BadRequestData: neither is said.
    """
    if not subscription and not everything:
        cure = "Name ids, a subscription, or say all"
        raise BadRequestData("which notifications is not said", field="subscription", cure=cure)
    return Dead(subscription_id=subscription)


def query_dead(engine: Engine, tenant: str, choice: Dead, page: Page) -> FoundDeadLetters:
    """Dead letters, newest first, without what they tell."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        total = queries.count_dead(connection, number, choice)
        found = queries.fetch_dead(connection, number, choice, limit=page.limit + 1, offset=page.offset)
    return FoundDeadLetters(letters=found[: page.limit], more=len(found) > page.limit > 0, total=total)


def retrieve_dead(engine: Engine, tenant: str, identifier: int) -> DeadLetter:
    """One dead letter with its entities as they were.

    Raises:
        NotFound: no dead letter has this id.
    """
    with reading(engine) as connection:
        found = queries.fetch_dead_letter(connection, tenant_of(engine, tenant), identifier)
    if found is None:
        raise NotFound(
            f"no dead letter {identifier}",
            field="id",
            value=identifier,
            cure="See the list",
        )
    return found


def replay(engine: Engine, tenant: str, choice: Dead) -> int:
    """Let the notifier try again, the oldest first, before what came later; how many."""
    with transaction(engine) as connection:
        return queries.revive(connection, tenant_of(engine, tenant), choice)


def discard(engine: Engine, tenant: str, choice: Dead) -> int:
    """Remove for good; how many."""
    with transaction(engine) as connection:
        return queries.delete_dead(connection, tenant_of(engine, tenant), choice)
