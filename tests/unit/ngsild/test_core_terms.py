"""Our table of the Core @context against what ETSI published (Annex B)."""

import json
from pathlib import Path
from typing import Any

import pytest
from machinami.ngsild.core_terms import CORE_DOCUMENT, CORE_URL


@pytest.mark.real_data
def test_the_table_is_the_published_context_term_for_term(shared_data: Path):
    published: dict[str, Any] = json.loads((shared_data / "contexts" / Path(CORE_URL).name).read_text())
    assert CORE_DOCUMENT["@context"] == published["@context"]
