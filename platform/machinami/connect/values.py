"""Values: what lies at a path, checked and turned into what an attribute holds. One converter a kind."""

from collections.abc import Callable
from math import inf, isnan
from typing import Any, Final, TypeAlias, cast

from machinami.connect.geometry import read_geometry
from machinami.connect.words import AttributeRule
from machinami.errors import BadRequestData

Convert: TypeAlias = Callable[[Any], Any]
"""Value as found → value as stored; raises BadRequestData without a field, which the caller knows."""

EXACT: Final = 2**53
"""Beyond it a number is no longer kept exactly by JSON readers and by double precision."""

MAX_DEPTH: Final = 16


def converter(rule: AttributeRule) -> Convert:
    """The converter of the attribute's kind, behind its translation table if it has one."""
    convert = _CONVERTERS[rule.kind](rule)
    return _translating(rule.translate, convert) if rule.translate else convert


def number_between(low: float, high: float, factor: float = 1, offset: float = 0) -> Convert:
    """Numbers, or texts of numbers (many gateways quote them), within bounds after scaling."""
    scale = _scaling(factor, offset)

    def convert(value: Any) -> float:
        if type(value) is not float and type(value) is not int:
            value = _number_from_text(value)
        if scale is not None:
            value = scale(value)
        if low <= value <= high:
            return value
        raise _out_of_range(value, low, high)

    return convert


def _scaling(factor: float, offset: float) -> Callable[[float], float] | None:
    if factor == 1 and offset == 0:
        return None
    divisor = round(1 / factor)
    if factor < 1 and abs(divisor * factor - 1) < 1e-12:  # 1853 / 100 is 18.53; 1853 * 0.01 need not be
        return lambda value: _finite(value) / divisor + offset
    return lambda value: _finite(value) * factor + offset


def _finite(value: float) -> float:
    if -EXACT <= value <= EXACT:
        return value
    raise _out_of_range(value, -EXACT, EXACT)


def _number_from_text(value: Any) -> float:
    if isinstance(value, str) and "_" not in value:
        try:
            return float(value)
        except ValueError:
            pass
    raise BadRequestData("not a number", value=value, cure="Send a number, or declare another kind.")


def _out_of_range(value: float, low: float, high: float) -> BadRequestData:
    if value in (inf, -inf) or (isinstance(value, float) and isnan(value)):
        return BadRequestData("not a finite number", value=value, cure="Leave out what there is no value of.")
    return BadRequestData(
        f"less than {low:g}" if value < low else f"greater than {high:g}",
        value=value,
        cure="Check the sensor, or widen minimum and maximum in the manifest.",
    )


def _number(rule: AttributeRule) -> Convert:
    return number_between(rule.minimum, rule.maximum, rule.scale, rule.offset)


def _integer(rule: AttributeRule) -> Convert:
    number = _number(rule)

    def convert(value: Any) -> int:
        found = number(value)
        if found != int(found):
            raise BadRequestData("not a whole number", value=value, cure="Declare kind number.")
        return int(found)

    return convert


def _text(_rule: AttributeRule) -> Convert:
    return clean_text


def clean_text(value: Any) -> str:
    """Text that a database and JSON can keep; a whole number becomes its digits.

    Raises:
        BadRequestData: not text, or with NUL or lone surrogates.
    """
    if isinstance(value, int) and not isinstance(value, bool) and -EXACT <= value <= EXACT:
        return str(value)
    if not isinstance(value, str):
        raise BadRequestData("not a text", value=value, cure="Send a text, or declare another kind.")
    if "\x00" in value or not _encodable(value):
        raise BadRequestData("text with NUL or broken characters", value=value, cure="Send UTF-8 text.")
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_TRUTH: Final[dict[object, bool]] = {"true": True, "false": False, "1": True, "0": False, 1: True, 0: False}


def _boolean(_rule: AttributeRule) -> Convert:
    def convert(value: Any) -> bool:
        key = value.strip().lower() if isinstance(value, str) else value
        if isinstance(key, str | int) and key in _TRUTH:
            return _TRUTH[key]
        raise BadRequestData("not a truth value", value=value, cure="Send true or false.")

    return convert


def _json(_rule: AttributeRule) -> Convert:
    def convert(value: Any) -> Any:
        _check_json(value, MAX_DEPTH)
        return value

    return convert


def _check_json(value: Any, depth: int) -> None:
    """Raise BadRequestData for what cannot be kept as JSON: too deep, NaN, huge integers, broken text."""
    if depth == 0:
        raise BadRequestData(f"nested deeper than {MAX_DEPTH} levels", cure="Send a flatter value.")
    check = _JSON_CHECKS.get(cast("type[object]", type(value)))
    if check is None:
        raise BadRequestData("not a JSON value", value=type(value).__name__, cure="Mend codec.py.")
    check(value, depth)


def _check_object(value: dict[Any, Any], depth: int) -> None:
    for name, member in value.items():
        if not isinstance(name, str):
            raise BadRequestData("a member name is not a text", value=name, cure="Mend codec.py.")
        clean_text(name)
        _check_json(member, depth - 1)


def _check_array(value: list[Any], depth: int) -> None:
    for item in value:
        _check_json(item, depth - 1)


_JSON_CHECKS: Final[dict[type[object], Callable[[Any, int], object]]] = {
    dict: _check_object,
    list: _check_array,
    str: lambda text, _: clean_text(text),
    int: lambda number, _: _finite(number),
    float: lambda number, _: _finite(number),
    bool: lambda truth, _: truth,
    type(None): lambda null, _: null,
}


def _geometry(_rule: AttributeRule) -> Convert:
    return read_geometry


_CONVERTERS: Final[dict[str, Callable[[AttributeRule], Convert]]] = {
    "number": _number,
    "integer": _integer,
    "text": _text,
    "boolean": _boolean,
    "json": _json,
    "geometry": _geometry,
}


def _translating(table: dict[str, Any], convert: Convert) -> Convert:
    def translate(value: Any) -> Any:
        key = str(value).lower() if isinstance(value, bool) else value
        if isinstance(key, str | int) and str(key) in table:
            return convert(table[str(key)])
        known = ", ".join(table)
        raise BadRequestData("not a known word", value=value, cure=f"Known: {known}. Add it to translate.")

    return translate
