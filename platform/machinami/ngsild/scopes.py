"""Terms of the scope query language (clause 4.19) as regular expressions."""

import re

from machinami.errors import BadRequestData

_TERM = re.compile(r"/?(?:\+|#|[^\W\d_]\w*)(?:/(?:\+|[^\W\d_]\w*))*(?:/#)?")


def scope_pattern(term: str) -> str:
    """A POSIX regular expression for the whole of every scope that the term means.

    ``+`` stands for one level, ``#`` at the end for the scope before it and all levels below.

    Raises:
        BadRequestData: it is no such term.
    """
    levels = term.strip("/").split("/")
    if not _TERM.fullmatch(term) or "#" in levels[:-1]:
        cure = "Write levels that start with a letter, + for any one, # at the end for all below"
        raise BadRequestData(f"not a scope: {term!r}", field="scopeQ", value=term, cure=cure)
    if levels == ["#"]:
        return "^.+$"
    deep = levels[-1] == "#"
    named = ["[^/]+" if level == "+" else level for level in (levels[:-1] if deep else levels)]
    return f"^/?{'/'.join(named)}{'(/.*)?' if deep else ''}$"
