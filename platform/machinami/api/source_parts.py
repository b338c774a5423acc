"""What a source tells, and what others are asked of the same entities (clause 5.8.6)."""

from msgspec.structs import replace

from machinami.api.call import Call
from machinami.federation import inbound
from machinami.federation.exchange import Origin
from machinami.federation.inbound import Leg, Told
from machinami.federation.matching import Wanted
from machinami.federation.reading import Question, plan
from machinami.federation.received import Asked
from machinami.linkage.read import EntitySelector


def plan_parts(call: Call, origin: Origin) -> list[Asked]:
    """What other sources are asked of the entities, where these are put together (clause 5.8.6)."""
    leg, told = read_notification(call)
    if not is_split(call, leg):
        return []
    sources = call.services.sources
    others = (each for each in sources.registrations(leg.tenant) if each.id != leg.registration.id)
    selectors = tuple(EntitySelector(ids=(each.entity.id,)) for each in told if not each.deleted)
    own = replace(origin, tenant=leg.tenant, alias=sources.alias(leg.tenant))
    return plan(others, own, Question(wanted=Wanted(selectors=selectors), split=True)) if selectors else []


def read_notification(call: Call) -> tuple[Leg, list[Told]]:
    """Which copy a notification is of, and what it tells.

    Raises:
        NotFound, BadRequestData: see `machinami.federation.inbound`.
    """
    document = call.document()
    leg = inbound.find_leg(call.services.engine, call.path["key"])
    return leg, inbound.read_told(document, leg, call.context)


def is_split(call: Call, leg: Leg) -> bool:
    """Whether entities are put together from all places before they are told."""
    return leg.subscription.document.get("splitEntities", call.services.settings.split_entities)
