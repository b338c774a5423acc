"""Numbers that are read at once are the numbers that are read one by one."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.attributes import compile_attributes
from machinami.connect.numbers import compile_numbers, numbers_layout
from machinami.connect.words import AttributeRule

RULES = [
    AttributeRule(name="level", path="level", minimum=0, maximum=10),
    AttributeRule(name="flow", path="flow"),
    AttributeRule(name="battery", path="battery", default=3.0),
]
READERS = compile_attributes(RULES)
VALUES = st.one_of(
    st.floats(-1, 11), st.integers(-1, 11), st.booleans(), st.none(), st.sampled_from(["1.5", "x", 1e300])
)


@given(st.fixed_dictionaries({}, optional={"level": VALUES, "flow": VALUES, "battery": VALUES}))
def test_at_once_and_one_by_one_agree(document: dict[str, Any]) -> None:
    at_once = compile_numbers(READERS, RULES)(document)
    lists = [msgspec.structs.replace(rule, path=[str(rule.path)]) for rule in RULES]  # read by another way
    one_by_one = compile_numbers(compile_attributes(lists), lists)(document)
    assert (at_once and list(at_once)) == one_by_one


def test_what_is_no_plain_number_has_no_layout() -> None:
    words = [AttributeRule(name="note", path="note", kind="text")]
    assert numbers_layout(compile_attributes(words), words) is None
    assert numbers_layout(READERS, RULES) is not None
