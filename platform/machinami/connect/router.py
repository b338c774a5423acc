"""From the topic of a message to the rule that reads it. The hot path of ingestion."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from machinami.connect.discovery import MANIFEST, Connector
from machinami.connect.messages import MessageMapper, compile_messages
from machinami.connect.reasons import reject
from machinami.connect.topics import TopicTree, literal_prefix
from machinami.errors import BadRequestData, MachinamiError, SetupError
from machinami.model import Mapped, Message

KNOWN_TOPICS: Final = 200_000
"""Topics whose rule is remembered; about 400 bytes each."""

_NO_NAMES: Final[Mapping[str, str]] = {}
"""Of a topic whose entity is known the names are needed no more."""


class _Route(NamedTuple):
    mapper: MessageMapper
    names: Mapping[str, str]
    entity_id: str | None


class Router:
    """Maps messages with all connectors.

    Args:
        connectors: by name, from `machinami.connect.discovery.discover`.
        secret: key of the pseudonyms of people's devices, at least 16 bytes, kept outside the database.

    Raises:
        SetupError: a manifest cannot be compiled, or two declare the same topic; names file, key and cure.
    """

    def __init__(self, connectors: Mapping[str, Connector], secret: bytes) -> None:
        self._tree: TopicTree[MessageMapper] = TopicTree()
        self._routes: dict[str, _Route] = {}
        self._private: dict[str, MessageMapper] = {}
        for connector in connectors.values():
            self._add(connector, secret)

    def map(self, message: Message) -> Mapped:
        """Changes and rejections of a message. Never raises, whatever the topic and the bytes."""
        try:
            mapper, names, entity_id = self._routes.get(message.topic) or self._route(message.topic)
            return mapper.map(message, names, entity_id)
        except BadRequestData as error:
            return Mapped(rejections=[reject(self._name(message.topic), error, partial=False)])
        except Exception as error:  # noqa: BLE001 - one message must not stop a role; its bytes and this go to quarantine
            defect = BadRequestData(
                f"the connector failed: {type(error).__name__}",
                field="payload",
                cure="Report this with the payload: it is a defect of Machinami.",
            )
            return Mapped(rejections=[reject(self._name(message.topic), defect, partial=False)])

    def redact(self, message: Message) -> bytes:
        """The payload as quarantine may keep it: identifiers of people's devices are pseudonyms."""
        mapper = self._keeper_of_identifiers(message.topic)
        if mapper is None or mapper.pseudonyms is None:
            return message.payload
        text = message.payload.decode("utf-8", "surrogateescape")
        return mapper.pseudonyms.redact(text, mapper.moment(message)).encode("utf-8", "surrogateescape")

    def _keeper_of_identifiers(self, topic: str) -> MessageMapper | None:
        """Who reads the topic; if nobody does, who reads identifiers on topics that begin alike."""
        if found := self._tree.find(topic):
            return found[0]
        near = (mapper for prefix, mapper in self._private.items() if topic.startswith(prefix))
        return next(near, None)

    def _route(self, topic: str) -> _Route:
        found = self._tree.find(topic)
        if found is None:
            raise BadRequestData(
                "no connector declares this topic",
                field="topic",
                value=topic,
                cure="Declare it in a connector.toml; machinami connector list shows the topics there are.",
            )
        mapper, names = found
        if len(self._routes) >= KNOWN_TOPICS:
            self._routes.clear()
        entity_id = mapper.entity_id(names)
        route = self._routes[topic] = _Route(mapper, _NO_NAMES if entity_id else names, entity_id)
        return route

    def _name(self, topic: str) -> str:
        found = self._tree.find(topic)
        return found[0].connector if found else ""

    def _add(self, connector: Connector, secret: bytes) -> None:
        try:
            for mapper in compile_messages(connector, secret):
                self._tree.add(mapper.rule.topic, mapper)
                if mapper.pseudonyms:
                    self._private[literal_prefix(mapper.rule.topic)] = mapper
        except MachinamiError as error:
            path = connector.folder / MANIFEST
            raise SetupError(
                f"{path}: {error.detail}", field=error.field, value=error.value, cure=error.cure
            ) from error
