"""MQTT topics as NATS subjects and back, by the rules of the NATS server's MQTT listener.

``/`` becomes ``.``, a dot within a level becomes ``//``, and an empty level is written ``/``.
"""

from zlib import crc32


def topic_of(subject: str) -> str:
    """The MQTT topic that the NATS server wrote as this subject."""
    if "/" not in subject:
        return subject.replace(".", "/")
    levels = subject.split(".")
    return "/".join("" if level == "/" else level.replace("//", ".") for level in levels)


def subject_of(topic: str) -> str:
    """The NATS subject that the server makes of an MQTT topic."""
    levels = topic.split("/")
    return ".".join(level.replace(".", "//") or "/" for level in levels)


def partition_of(subject: str, partitions: int) -> int:
    """The partition of a topic's messages, from 0; the same in every process and on every machine."""
    return crc32(subject.encode()) % partitions
