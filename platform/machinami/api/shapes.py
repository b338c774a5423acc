"""JSON of requests, narrowed: what is not of the shape is empty."""

from typing import Any, TypeGuard, cast

from machinami.ngsild.context import Source


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_array(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def is_texts(value: Any) -> bool:
    """Whether a JSON value is a list of strings, none of them empty, and not empty itself."""
    items = as_array(value)
    return bool(items) and all(isinstance(item, str) and item for item in items)


def is_source(value: Any) -> TypeGuard[Source]:
    """Whether a JSON value may be a @context: an address, an object, or a list."""
    return isinstance(value, str | dict | list)
