"""How pages are read: annotations, commands, and what output they allow."""

from pathlib import Path

import pytest
from house import pages
from house.pages import Block, blocks, expected, typed_words

PAGE = """\
Type `machinami status
--json`, or:

<!-- test: offline, exits 2 -->
```console
$ first
printed
$ echo 'two
> lines'
```

1. In a list:

   ```toml folder/file.toml
   a = 1
   ```

```sh
machinami up --speed 2   # faster
second
```
"""


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    return list(blocks(page))


def test_a_block_has_its_place_its_annotation_and_its_file(found: list[Block]):
    console, toml, script = found
    assert (str(console), console.mode, console.exit_code) == ("page.md:5", "offline", 2)
    assert (toml.file, toml.text) == ("folder/file.toml", "a = 1\n")
    assert (script.language, script.mode, script.exit_code) == ("sh", "", 0)


def test_commands_go_on_and_have_output(found: list[Block]):
    assert found[0].commands() == [("first", ["printed"]), ("echo 'two\nlines'", [])]
    assert found[2].commands() == [("machinami up --speed 2   # faster\nsecond\n", [])]


def test_commands_are_found_in_text_and_in_blocks(found: list[Block]):
    assert list(typed_words(found[0].page)) == [
        ("page.md", "status --json"),
        ("page.md:18", "up --speed 2"),
    ]


@pytest.mark.parametrize(
    ("lines", "printed", "allowed"),
    [
        (["a", "b"], "a\nb\n", True),
        (["a"], "a\nb\n", False),
        (["a", "…"], "a\nb\nc\n", True),
        (["…", "c"], "a\nb\nc\n", True),
        (["…"], "", True),
        (["sent …, acknowledged ..."], "sent 1, acknowledged 2\n", True),
        (["sent … (all)"], "sent 1\n(all)\n", False),
        (["1.5"], "125\n", False),
    ],
)
def test_what_output_is_allowed(lines: list[str], printed: str, allowed: bool):
    assert bool(expected(lines).fullmatch(printed)) is allowed
