"""Regular expressions of queries, asked in memory: POSIX classes as in the database, and a time limit."""

from functools import lru_cache

import regex

from machinami.errors import BadRequestData, TooComplexQuery

MAX_PATTERN = 512
"""Characters of a pattern."""

SEARCH_SECONDS = 0.1
"""Longest search; a pattern such as ``(a|a)*$`` would otherwise take hours, and the writer with it."""


def check_pattern(pattern: str, field: str) -> str:
    """The pattern itself; BadRequestData naming `field` when it is no regular expression."""
    try:
        if not 0 < len(pattern) <= MAX_PATTERN or "\0" in pattern:
            raise regex.error(f"it has 1 to {MAX_PATTERN} characters, none of them U+0000")
        _compiled(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise BadRequestData(
            f"{field} has a pattern that is no regular expression: {error}",
            field=field,
            value=pattern,
            cure="Escape characters such as ( and [ with a backslash where they mean themselves",
        ) from error
    return pattern


def found(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the text.

    Raises:
        TooComplexQuery: the search took longer than `SEARCH_SECONDS`.
    """
    try:
        return _compiled(pattern).search(text, timeout=SEARCH_SECONDS) is not None
    except TimeoutError as error:
        raise TooComplexQuery(
            f"The pattern {pattern!r} takes too long",
            field="q",
            value=pattern,
            cure="Avoid repetitions within repetitions, such as (a+)+",
        ) from error


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)
