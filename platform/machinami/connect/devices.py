"""Which device a topic is of: what a connector's topic calls its named levels."""

from collections.abc import Mapping

from machinami.connect.discovery import Connector
from machinami.connect.topics import TopicTree


class Devices:
    """Devices by topic.

    Raises:
        SetupError: two connectors declare the same topic.
    """

    def __init__(self, connectors: Mapping[str, Connector]) -> None:
        self._tree: TopicTree[None] = TopicTree()
        for connector in connectors.values():
            for rule in connector.manifest.messages:
                self._tree.add(rule.topic, None)

    def of(self, topic: str) -> str:
        """``paddy-001`` of ``v3/…/devices/{device}/up``; empty where no connector declares the topic."""
        found = self._tree.find(topic)
        return "/".join(found[1].values()) if found else ""
