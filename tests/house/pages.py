"""The documentation as a reader follows it: its pages, the blocks in them, and what was annotated above each.

A block of commands (```console or ```sh) is annotated on the line above it:

    <!-- test: offline -->            run in an empty folder, without a city
    <!-- test: city -->               run beside a city with its simulator
    <!-- test: offline, exits 2 -->   the last command ends with this exit code
    <!-- test: skip, why -->          not run, for this reason

In ```console a line that begins with `$ ` is a command, `> ` goes on with it, and what follows is its output,
in which `…` stands for anything, and alone on a line for any lines. A ```sh block is one script. Blocks with
a file name (```toml weather/connector.toml) are written before the commands of their page are run.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    ROOT / "loadtests/README.md",
)
COMMANDS = ("console", "sh")
HOW_TO = "write <!-- test: offline -->, <!-- test: city --> or <!-- test: skip, why --> on the line above it"

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<words>\w+[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_NOTE = re.compile(r"<!-- test: (?P<mode>offline|city|skip)(?:, (?P<detail>.+?))? -->\n\Z")
_EXITS = re.compile(r"exits (\d+)")
_ANYTHING = re.compile(r"…|\.\.\.")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A fenced block.

    Attributes:
        file: name of the file that it shows; empty for most.
        mode: offline, city or skip; empty when nothing is annotated.
        detail: what stands behind the mode: the reason, or the exit code.
    """

    page: Path
    line: int
    language: str
    file: str
    text: str
    mode: str
    detail: str

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def exit_code(self) -> int:
        """Of the last command."""
        return int(found[1]) if (found := _EXITS.fullmatch(self.detail)) else 0

    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command with the lines of its output; an empty list when none are shown."""
        if self.language == "sh":
            return [(self.text, [])]
        commands: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif commands and line.startswith("> ") and not commands[-1][1]:
                commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
            elif commands:
                commands[-1][1].append(line)
        return commands


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks of a page that name a language."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        language, _, file = found["words"].strip().partition(" ")
        note = _NOTE.search(text[: found.start()])
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=language,
            file=file,
            text=textwrap.dedent(found["text"]),
            mode=note["mode"] if note else "",
            detail=(note["detail"] or "") if note else "",
        )


def expected(lines: list[str]) -> re.Pattern[str]:
    """What output the lines of a block allow."""
    return re.compile("".join(map(_line, lines)))


def _line(line: str) -> str:
    if _ANYTHING.fullmatch(line.strip()):
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, _ANYTHING.split(line.rstrip()))) + r"[ \t]*\n"


def typed_words(page: Path) -> Iterator[tuple[str, str]]:
    """Each `machinami …` in running text and in blocks of commands, with what follows the name."""
    text = page.read_text(encoding="utf-8")
    for words in re.findall(r"`machinami ([^`]+)`", _BLOCK.sub("", text)):
        yield str(page.relative_to(ROOT)), " ".join(words.split())
    for block in blocks(page):
        if block.language in COMMANDS:
            for words in re.findall(r"^(?:\$ )?machinami (.*?)(?:\s+#.*)?$", block.text, re.MULTILINE):
                yield str(block), words
