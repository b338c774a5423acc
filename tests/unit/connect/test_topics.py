import pytest
from hypothesis import given
from hypothesis import strategies as st
from machinami.connect.topics import TopicTree, literal_prefix, topic_names
from machinami.errors import SetupError


def tree(*patterns: str) -> TopicTree[str]:
    made: TopicTree[str] = TopicTree()
    for pattern in patterns:
        made.add(pattern, pattern)
    return made


@pytest.mark.parametrize(
    ("topic", "pattern", "names"),
    [
        ("ul/river/g1/attrs", "ul/river/{device}/attrs", {"device": "g1"}),
        ("ul/river/special/attrs", "ul/river/special/attrs", {}),
        ("ul/river/special/other", "ul/river/{device}/other", {"device": "special"}),
        ("a/b/c", "{x}/b/{y}", {"x": "a", "y": "c"}),
        ("any/1/x", "any/+/x", {}),
        ("rest", "rest/#", {}),
        ("rest/a/b", "rest/#", {}),
        ("ul/river//attrs", "ul/river/{device}/attrs", {"device": ""}),
    ],
)
def test_the_most_literal_pattern_is_found(topic: str, pattern: str, names: dict[str, str]) -> None:
    patterns = tree(
        "ul/river/{device}/attrs",
        "ul/river/special/attrs",
        "ul/river/{device}/other",
        "{x}/b/{y}",
        "any/+/x",
        "rest/#",
    )
    assert patterns.find(topic) == (pattern, names)


@pytest.mark.parametrize("topic", ["", "ul", "ul/river/g1", "ul/river/g1/attrs/level", "/ul/river/g1/attrs"])
def test_other_topics_are_nobodys(topic: str) -> None:
    assert tree("ul/river/{device}/attrs").find(topic) is None


@pytest.mark.parametrize("pattern", ["", "a/{b", "a/x{b}", "a/#/b", "{a}/{a}", "a+/b", "{1}"])
def test_what_is_no_topic_is_refused(pattern: str) -> None:
    with pytest.raises(SetupError) as caught:
        tree(pattern)
    assert caught.value.cure


def test_two_declarations_of_one_topic_are_refused() -> None:
    with pytest.raises(SetupError, match=r"already declared as 'a/\{b\}'"):
        tree("a/{b}", "a/{c}")


def test_names_and_prefix() -> None:
    assert topic_names("a/{b}/+/{c}") == ("b", "c")
    assert literal_prefix("minew/namiki/{gateway}/status") == "minew/namiki/"


@given(st.lists(st.text(st.characters(exclude_characters="/{}+#"), max_size=5), min_size=1, max_size=6))
def test_a_literal_topic_finds_itself(levels: list[str]) -> None:
    topic = "/".join(levels)
    if topic:
        assert tree(topic).find(topic) == (topic, {})


@given(st.text())
def test_any_topic_is_found_or_not(topic: str) -> None:
    found = tree("{a}/{b}", "x/#").find(topic)
    assert found is None or found[0] in ("{a}/{b}", "x/#")
