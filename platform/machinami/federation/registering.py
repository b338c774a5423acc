"""Registrations as they are asked for: register, change, remove, look up (clauses 5.9 and 5.10)."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from machinami.errors import AlreadyExists, Conflict, NotFound
from machinami.federation.discovery import SourceSelection, selects
from machinami.federation.matching import is_meant
from machinami.federation.notices import tell_change
from machinami.federation.registration import (
    PROXIED,
    EntityInfo,
    Information,
    Mode,
    Registration,
    compile_registration,
)
from machinami.linkage.read import EntitySelector, Page, Selection, tenant_of
from machinami.store import queries_registration as queries
from machinami.store.engine import transaction
from machinami.store.keeping import kept
from machinami.store.queries import fetch_entities
from machinami.store.queries_registration import StoredRegistration
from machinami.store.reading import reading
from machinami.store.tenants import tenant_number

__all__ = ["FoundRegistrations", "StoredRegistration"]

PAUSE = 2.0
"""Seconds between two looks for registrations whose time is over."""


class FoundRegistrations(msgspec.Struct, frozen=True, kw_only=True):
    """One page of registrations; see `machinami.linkage.read.Found`."""

    registrations: list[StoredRegistration]
    more: bool
    total: int | None = None


def create_registration(engine: Engine, tenant: str, identifier: str, document: dict[str, Any]) -> None:
    """Register Context Source, clause 5.9.2.

    Args:
        document: see `StoredRegistration`.

    Raises:
        AlreadyExists: the id is taken.
        Conflict: another registration, or an entity here, stands against its mode (clause 4.3.6.3).
    """
    with transaction(engine) as connection:
        number = tenant_number(connection, tenant, create=True)
        queries.lock_registrations(connection)
        _remove_expired(connection)
        if queries.fetch_registration(connection, number, identifier):
            raise AlreadyExists(
                f"registration {identifier} exists already", field="id", value=identifier, cure="Leave out id"
            )
        queries.insert_registration(connection, number, identifier, document)
        _check_conflicts(connection, number, identifier)
        tell_change(connection, None, queries.fetch_registration(connection, number, identifier))


def update_registration(
    engine: Engine, tenant: str, identifier: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Update Context Source Registration, clause 5.9.3.

    Args:
        change: gives the new document for the old one; nobody else changes it meanwhile.

    Raises:
        NotFound: no registration has this id.
        Conflict: as when it is registered.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        queries.lock_registrations(connection)
        stored = _existing(queries.fetch_registration(connection, number, identifier, lock=True), identifier)
        queries.update_registration(connection, number, identifier, change(stored.document))
        _check_conflicts(connection, number, identifier)
        tell_change(connection, stored, queries.fetch_registration(connection, number, identifier))


def delete_registration(engine: Engine, tenant: str, identifier: str) -> None:
    """Delete Context Source Registration, clause 5.9.4.

    Raises:
        NotFound: no registration has this id.
    """
    number = tenant_of(engine, tenant)
    with transaction(engine) as connection:
        stored = queries.fetch_registration(connection, number, identifier, lock=True)
        if not queries.delete_registration(connection, number, identifier):
            raise _not_found(identifier)
        tell_change(connection, stored, None)


def retrieve_registration(engine: Engine, tenant: str, identifier: str) -> StoredRegistration:
    """Retrieve Context Source Registration, clause 5.10.1.

    Raises:
        NotFound: no registration has this id.
    """
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        return _existing(queries.fetch_registration(connection, number, identifier), identifier)


def query_registrations(
    engine: Engine, tenant: str, selection: SourceSelection, page: Page
) -> FoundRegistrations:
    """Query Context Source Registrations, clause 5.10.2; ordered by id."""
    number = tenant_of(engine, tenant)
    with reading(engine) as connection:
        every = queries.fetch_registrations(connection, number)
    found = [stored for stored in every if selects(selection, stored)]
    end = page.offset + page.limit
    return FoundRegistrations(
        registrations=found[page.offset : end],
        more=bool(page.limit) and end < len(found),
        total=len(found) if page.count else None,
    )


@contextmanager
def expired_removed(url: str) -> Generator[None]:
    """Remove registrations whose time is over while the block runs; who subscribed to them is told."""

    def round_of(engine: Engine) -> None:
        with transaction(engine) as connection:
            _remove_expired(connection)

    with kept(url, "expired registrations", round_of, PAUSE):
        yield


def _remove_expired(connection: Connection) -> None:
    for expired in queries.delete_expired_registrations(connection):
        tell_change(connection, expired, None)


def _check_conflicts(connection: Connection, number: int, identifier: str) -> None:
    """Proxied data are in one place only (clause 4.3.6.3)."""
    every = {each.id: compile_registration(each) for each in queries.fetch_registrations(connection, number)}
    registration = every.pop(identifier, None)
    if registration is None or registration.mode not in PROXIED:
        return
    for other in every.values():
        if other.mode in PROXIED and Mode.EXCLUSIVE in (registration.mode, other.mode):
            _check_overlap(registration, other)
    _check_entities(connection, number, registration)


def _check_overlap(registration: Registration, other: Registration) -> None:
    pairs = ((one, two) for one in registration.information for two in other.information)
    if any(_overlap(one, two) for one, two in pairs):
        raise Conflict(
            f"registration {other.id} has some of this already",
            field="mode",
            value=registration.mode.value,
            cure="Leave out what that one has, or remove it",
        )


def _overlap(one: Information, other: Information) -> bool:
    if one.attributes and other.attributes and one.attributes.isdisjoint(other.attributes):
        return False
    if not one.entities or not other.entities:
        return True
    return any(is_meant(info, _selector(each)) for info in one.entities for each in other.entities)


def _check_entities(connection: Connection, number: int, registration: Registration) -> None:
    """Nothing of what is registered may be here (clause 5.9.2.4)."""
    for selection in _here(registration):
        found = fetch_entities(connection, number, selection, limit=1)
        if found:
            raise Conflict(
                f"entity {found[0].id} is here and has some of this",
                field="mode",
                value=registration.mode.value,
                cure="Delete it, or those of its attributes; or use inclusive",
            )


def _here(registration: Registration) -> Iterator[Selection]:
    """What no entity here may have; of exclusive ones that is named attributes of named entities."""
    is_redirect = registration.mode is Mode.REDIRECT
    for item in registration.information:
        infos = [info for info in item.entities if is_redirect or (info.id and item.attributes)]
        if infos or is_redirect:
            selectors = tuple(_selector(info) for info in infos)
            yield Selection(selectors=selectors, attributes=tuple(sorted(item.attributes)))


def _selector(info: EntityInfo) -> EntitySelector:
    types = (info.types,) if info.types else ()
    pattern = "" if info.id else info.id_pattern
    return EntitySelector(types=types, ids=(info.id,) if info.id else (), id_pattern=pattern)


def _existing(stored: StoredRegistration | None, identifier: str) -> StoredRegistration:
    if stored is None:
        raise _not_found(identifier)
    return stored


def _not_found(identifier: str) -> NotFound:
    return NotFound(
        f"no context source registration {identifier}",
        field="registrationId",
        value=identifier,
        cure="Check the id, and the tenant header: registrations of another tenant are not seen",
    )
