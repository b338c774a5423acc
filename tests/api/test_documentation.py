"""docs/api.md says what is not there yet, all of it and nothing else."""

import re
from pathlib import Path

from machinami.api.app import ENDPOINTS

_PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
_NOT_YET = _PAGE.partition("## Not yet: 501")[2].partition("\n## ")[0]


def _words(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def test_parameters() -> None:
    pending = {name for endpoint in ENDPOINTS for name in endpoint.pending}
    assert _words(_NOT_YET) == pending
