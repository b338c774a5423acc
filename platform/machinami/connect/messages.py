"""One ``[[message]]`` of a manifest, compiled: message → changes and rejections."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from machinami.connect.attributes import compile_attributes, read_attributes
from machinami.connect.discovery import Connector
from machinami.connect.formats import decoder
from machinami.connect.numbers import compile_numbers, numbers_layout
from machinami.connect.paths import Document, compile_path
from machinami.connect.privacy import Pseudonyms, compile_hide
from machinami.connect.reasons import Defects, reject
from machinami.connect.templates import Names, places, uri_template
from machinami.connect.times import FUTURE, compile_clock
from machinami.connect.topics import topic_names
from machinami.connect.words import MessageRule
from machinami.errors import BadRequestData
from machinami.model import Change, Mapped, Measurement, Message, Operation, Rejection
from machinami.ngsild.context import CORE


class MessageMapper:
    """A compiled ``[[message]]``; its parts are public, so that a dry run can show each.

    Raises:
        SetupError: something in the rule cannot be compiled.
    """

    def __init__(self, connector: Connector, rule: MessageRule, pseudonyms: Pseudonyms | None) -> None:
        manifest, names = connector.manifest, topic_names(rule.topic)
        hours = manifest.limits.future_hours
        self.rule = rule
        self.connector = manifest.connector.name
        self.tenant = manifest.connector.tenant
        self.types = (CORE.expand_type(rule.type),)
        self.decode = decoder(rule.format, connector.codec)
        self.conditions = [(path, compile_path(path), wanted) for path, wanted in rule.when.items()]
        self.clock = compile_clock(rule.time, FUTURE if hours is None else timedelta(hours=hours))
        self.pseudonyms = pseudonyms
        self.hide = compile_hide(rule.pseudonymise, pseudonyms)
        self.identify = uri_template(rule.id, names)
        self.id_is_in_topic = set(places(rule.id)) <= set(names)
        self.readers = compile_attributes(rule.attributes)
        self.layout = numbers_layout(self.readers, rule.attributes)
        self.numbers = compile_numbers(self.readers, rule.attributes) if self.layout else None

    def entity_id(self, names: Names) -> str | None:
        """The entity's URI where the topic alone gives it; raises BadRequestData."""
        return self.identify({}, names) if self.id_is_in_topic else None

    def map(self, message: Message, names: Names, entity_id: str | None) -> Mapped:
        """Map one message."""
        changes: list[Change | Measurement] = []
        defects = Defects()
        try:
            for document in self.decode(message.topic, message.payload):
                try:
                    change = self._change(document, message.received_at, names, entity_id, defects)
                except BadRequestData as error:
                    defects.append(error)
                else:
                    if change is not None:
                        changes.append(change)
        except BadRequestData as error:
            defects.append(error)
        if not defects and changes:
            return Mapped(changes=changes)
        return Mapped(changes=changes, rejections=self._reject(defects.all(), message, partial=bool(changes)))

    def check(self, document: Document) -> None:
        """Raise BadRequestData where a condition of ``when`` does not hold."""
        for path, get, wanted in self.conditions:
            value = get(document)
            if value != wanted or type(value) is not type(wanted):
                raise BadRequestData(
                    f"not {wanted!r}, so this rule does not read it",
                    field=path,
                    value=value,
                    cure="Nothing to do if it carries no measurement; else write a [[message]] for it.",
                )

    def _change(
        self,
        document: Document,
        received_at: datetime,
        names: Names,
        entity_id: str | None,
        defects: list[BadRequestData],
    ) -> Change | Measurement | None:
        if self.conditions:
            self.check(document)
        moment, observed_at = self.clock(document, received_at)
        if self.hide is not None:
            self.hide(document, moment)
        if entity_id is None:
            entity_id = self.identify(document, names)
        if self.layout is not None and self.numbers is not None:
            values = self.numbers(document)
            if values is not None:
                return Measurement(
                    entity_id=entity_id,
                    types=self.types,
                    layout=self.layout,
                    values=values,
                    observed_at=moment,
                    observed_text=observed_at,
                    tenant=self.tenant,
                )
        attributes = read_attributes(self.readers, document, observed_at, defects)
        if not attributes:
            return None
        return Change(
            entity_id=entity_id,
            operation=Operation.MERGE,
            types=self.types,
            attributes=attributes,
            tenant=self.tenant,
            only_newer=True,
        )

    def _reject(
        self, defects: Sequence[BadRequestData], message: Message, *, partial: bool
    ) -> list[Rejection]:
        defects = defects or [
            BadRequestData(
                "no attribute of the manifest is in the payload",
                field="payload",
                value=message.payload,
                cure="Mend the paths, or send at least one of the declared values.",
            )
        ]
        pseudonyms = self.pseudonyms
        moment = self.moment(message) if pseudonyms else message.received_at

        def redact(text: str) -> str:
            return pseudonyms.redact(text, moment) if pseudonyms else text

        return [reject(self.connector, error, partial=partial, redact=redact) for error in defects]

    def moment(self, message: Message) -> datetime:
        """When the message was observed as far as that can be read, else when it was received."""
        try:
            for document in self.decode(message.topic, message.payload):
                return self.clock(document, message.received_at)[0]
        except BadRequestData:
            return message.received_at
        return message.received_at


def compile_messages(connector: Connector, secret: bytes) -> list[MessageMapper]:
    """Compile all ``[[message]]`` of a connector.

    Raises:
        SetupError: naming the connector's file, the key and the cure.
    """
    manifest = connector.manifest
    pseudonyms = Pseudonyms(manifest.privacy, secret) if manifest.privacy else None
    return [MessageMapper(connector, rule, pseudonyms) for rule in manifest.messages]
