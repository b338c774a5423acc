"""The language filter (clause 4.15): which text of a LanguageProperty a reader wants."""

from functools import lru_cache
from typing import Any

from machinami.errors import BadRequestData

ANY = "*"


@lru_cache(maxsize=1024)
def parse_languages(lang: str) -> tuple[str, ...]:
    """Languages of an RFC 3282 list (``fr-CH,fr;q=0.9,*;q=0.5``), the most wanted first.

    Raises:
        BadRequestData: a quality that is no number from 0 to 1.
    """
    ranked: list[tuple[float, str]] = []
    for entry in lang.split(","):
        tag, _, quality = entry.partition(";")
        if tag.strip():
            ranked.append((-_quality(quality.strip(), lang), tag.strip()))
    return tuple(tag for _, tag in sorted(ranked, key=lambda pair: pair[0]))


def _quality(text: str, lang: str) -> float:
    try:
        quality = float(text.removeprefix("q=")) if text else 1.0
    except ValueError:
        quality = -1.0
    if not 0 <= quality <= 1:
        raise BadRequestData(
            f"lang has a quality that is not from 0 to 1: {lang!r}",
            field="lang",
            value=lang,
            cure="Write it such as ja,en;q=0.8,*;q=0.5",
        )
    return quality


def choose_language(texts: dict[str, Any], lang: str) -> tuple[str, Any]:
    """The best language of a languageMap and its text; any language where none of the wanted is there."""
    tags = {tag.lower(): tag for tag in texts}
    for wanted in parse_languages(lang):
        if wanted == ANY:
            break
        tag = _matching(wanted.lower(), tags)
        if tag is not None:
            return tag, texts[tag]
    fallback = "@none" if "@none" in texts else next(iter(texts))
    return fallback, texts[fallback]


def _matching(wanted: str, tags: dict[str, str]) -> str | None:
    """The tag wanted, or less of it (``fr`` for ``fr-CH``), or else more of it (``fr-CH`` for ``fr``).

    RFC 4647, 3.4 (lookup), then 3.3.1 (filtering); tags are in small letters there.
    """
    less = wanted
    while less:
        if less in tags:
            return tags[less]
        less = less.rpartition("-")[0]
    return next((tag for small, tag in tags.items() if small.startswith(f"{wanted}-")), None)
