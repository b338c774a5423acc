"""Master data: rows of a municipality's CSV file → entities, by a mapping in ``masters/NAME.toml``."""

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from machinami.connect.attributes import compile_attributes, paths_of, read_attributes
from machinami.connect.paths import Document
from machinami.connect.reasons import reject
from machinami.connect.templates import places, type_template, uri_template
from machinami.connect.words import AttributeRule, MasterRule
from machinami.errors import BadRequestData
from machinami.model import Change, Mapped, Operation
from machinami.ngsild.context import CORE

_CODECS: Final = {"utf-8": "utf-8-sig", "cp932": "cp932"}


def read_master(rule: MasterRule, content: bytes) -> Iterator[Mapped]:
    """Map a CSV file, row by row. A bad cell is rejected alone; its row number (the header is 1) is said.

    Raises:
        BadRequestData: the file as a whole cannot be read: its encoding, its header, its quotes.
        SetupError: the mapping cannot be compiled.
    """
    mapper = _RowMapper(rule)
    rows = csv.DictReader(
        io.StringIO(_decode(rule, content), newline=""), delimiter=rule.delimiter, strict=True
    )
    try:
        _check_header(rule, list(rows.fieldnames or ()))
        for row in rows:
            yield mapper.map(row, rows.line_num)
    except csv.Error as error:
        raise BadRequestData(
            f"line {rows.line_num} is not CSV: {error}",
            field="file",
            cure="Check its quotes and the delimiter.",
        ) from None


def check_master(rule: MasterRule) -> None:
    """Compile a mapping without reading anything.

    Raises:
        SetupError: it cannot be compiled.
    """
    _RowMapper(rule)


class _RowMapper:
    def __init__(self, rule: MasterRule) -> None:
        self._identify = uri_template(rule.id, ())
        self._type = type_template(rule.type, ())
        self._translate = rule.translate
        self._readers = compile_attributes([_with_marks(a, rule.missing) for a in rule.attributes])

    def map(self, row: dict[Any, Any], line: int) -> Mapped:
        """Map one row."""
        defects: list[BadRequestData] = []
        change: Change | None = None
        try:
            document = self._document(row)
            change = Change(
                entity_id=self._identify(document, {}),
                operation=Operation.MERGE,
                types=(CORE.expand_type(self._type(document, {})),),
                attributes=read_attributes(self._readers, document, None, defects),
            )
        except BadRequestData as error:
            defects.append(error)
        rejections = [reject("", _in_line(error, line), partial=change is not None) for error in defects]
        return Mapped(changes=(change,) if change else (), rejections=rejections)

    def _document(self, row: dict[Any, Any]) -> Document:
        if None in row:
            raise BadRequestData(
                "more cells than the header has", value=row[None], cure="Quote cells that hold the delimiter."
            )
        return {column: self._word(column, cell) for column, cell in row.items()}

    def _word(self, column: str, cell: str | None) -> str | None:
        table = self._translate.get(column)
        if table is None or cell is None:
            return cell
        if cell in table:
            return table[cell]
        raise BadRequestData(
            "not a known word",
            field=column,
            value=cell,
            cure=f"Known: {', '.join(table)}. Add it to translate.",
        )


def _in_line(error: BadRequestData, line: int) -> BadRequestData:
    return BadRequestData(
        f"line {line}: {error.detail}", field=error.field, value=error.value, cure=error.cure
    )


def _with_marks(attribute: AttributeRule, marks: list[str | int | float]) -> AttributeRule:
    return replace(attribute, missing=[*marks, *attribute.missing])


def _decode(rule: MasterRule, content: bytes) -> str:
    try:
        return content.decode(_CODECS[rule.encoding])
    except UnicodeDecodeError as error:
        raise BadRequestData(
            f"not {rule.encoding} at byte {error.start}",
            field="encoding",
            cure="Declare the file's encoding in the mapping: utf-8 or cp932.",
        ) from None


def _check_header(rule: MasterRule, columns: list[str]) -> None:
    wanted = [*places(rule.id), *places(rule.type), *(path for a in rule.attributes for path in paths_of(a))]
    missing = sorted(set(wanted) - set(columns))
    if missing:
        raise BadRequestData(
            f"the file has no column {', '.join(missing)}",
            field="header",
            value=",".join(columns),
            cure="Choose the mapping that fits the file, or mend its paths.",
        )
