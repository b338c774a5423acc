"""How a subscriber wants entities: members, language, instances (clause 5.2.14)."""

from typing import Any

import msgspec

from machinami.model import Entity
from machinami.ngsild.conformance import Version, amended
from machinami.ngsild.context import Context
from machinami.ngsild.projection import ENTITY_MEMBERS, Projection
from machinami.ngsild.render import Representation, render_entity, render_feature


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How entities are to look.

    Attributes:
        datasets: datasetIds wanted; None wants all.
        pick, omit: expanded members; None picks all.
        version: of the standard that the receiver knows (clause 4.3.6.8).
    """

    context: Context
    representation: Representation = Representation.NORMALIZED
    sys_attrs: bool = False
    lang: str | None = None
    datasets: frozenset[str] | None = None
    pick: "Projection | None" = None  # an alias that names itself is a text
    omit: Projection = msgspec.field(default_factory=dict[str, Any])
    version: Version | None = None

    def shows(self, member: str) -> bool:
        """Whether a member of an entity is to be told."""
        picked = self.pick is None or member in self.pick
        return picked and self.omit.get(member) != {}

    def behind(self, name: str) -> "Shape":
        """For the entities that this attribute leads to."""
        inner = self.pick.get(name) if self.pick else None
        return msgspec.structs.replace(self, pick=inner or None, omit=self.omit.get(name) or {})

    def entity(self, entity: Entity, deleted: str | None = None) -> dict[str, Any]:
        """As JSON.

        Args:
            deleted: when it was, if it was.
        """
        shown = self._as_told(entity)
        answer = render_entity(shown, self.context, self.representation, **self._members())
        hidden = [member for member in ENTITY_MEMBERS if member in answer and not self.shows(member)]
        for member in hidden:
            del answer[member]
        return {**answer, "deletedAt": deleted} if deleted else answer

    def feature(self, entity: Entity, deleted: str | None = None) -> dict[str, Any]:
        """As a GeoJSON Feature; `deleted` as in `entity`."""
        shown = self._as_told(entity)
        answer = render_feature(shown, self.context, representation=self.representation, **self._members())
        if deleted:
            answer["properties"]["deletedAt"] = deleted
        return answer

    def _as_told(self, entity: Entity) -> Entity:
        kept = {name: each for name, each in entity.attributes.items() if self.shows(name)}
        told = msgspec.structs.replace(entity, attributes=kept)
        return amended(told, self.version, self.context.names) if self.version else told

    def _members(self) -> dict[str, Any]:
        return {"sys_attrs": self.sys_attrs, "lang": self.lang, "datasets": self.datasets}
