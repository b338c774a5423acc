"""Every connector of the shelf: it compiles, is described, and its samples hold."""

import ast
import re
import sys
from pathlib import Path

import pytest
from machinami.connect.discovery import Connector, discover
from machinami.connect.dry_run import DRY_SECRET, dry_run
from machinami.connect.masters import check_master
from machinami.connect.router import Router
from machinami.connect.samples import Sample, check_sample, read_samples
from machinami.errors import SetupError

CONNECTORS = discover()
SAMPLES = [(name, sample) for name, c in CONNECTORS.items() for sample in read_samples(c.folder)]
WITH_MESSAGES = [connector for connector in CONNECTORS.values() if connector.manifest.messages]


def by_name(value: object) -> str:
    return str(getattr(value, "name", value))


def test_all_connectors_work_together() -> None:
    assert Router(CONNECTORS, DRY_SECRET)


@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=by_name)
def test_a_connector_is_described_in_both_languages_and_its_masters_compile(connector: Connector) -> None:
    about = connector.manifest.connector
    assert set(about.title) == {"ja", "en"}
    assert about.description
    assert about.licence
    for rule in connector.masters.values():
        check_master(rule)


@pytest.mark.parametrize("connector", WITH_MESSAGES, ids=by_name)
def test_a_connector_has_a_good_and_a_bad_sample_and_one_for_each_topic(connector: Connector) -> None:
    samples = read_samples(connector.folder)
    assert {sample.name.startswith("bad-") for sample in samples} == {True, False}
    used = {step.path for s in samples for step in dry_run(connector, s.message.topic, s.message.payload)[:1]}
    assert used == {message.topic for message in connector.manifest.messages}


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=by_name)
def test_a_sample_gives_what_it_says(name: str, sample: Sample) -> None:
    assert check_sample(CONNECTORS[name], sample) == []


@pytest.mark.parametrize("connector", [c for c in WITH_MESSAGES if c.codec], ids=by_name)
def test_a_codec_imports_the_standard_library_only(connector: Connector) -> None:
    tree = ast.parse((connector.folder / "codec.py").read_text("utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_sample_that_does_not_hold_says_what_differs(tmp_path: Path) -> None:
    gauge = CONNECTORS["river-gauge"]
    (tmp_path / "samples").mkdir()
    for file in (gauge.folder / "samples").glob("reading.*"):
        (tmp_path / "samples" / file.name).write_text(
            file.read_text("utf-8").replace("2.345", "9", 1), "utf-8"
        )
    expectation = tmp_path / "samples" / "reading.toml"
    expectation.write_text(expectation.read_text("utf-8").replace("value = 9", "value = 8"), "utf-8")
    (sample,) = read_samples(tmp_path)
    wanted, given = check_sample(gauge, sample)
    assert re.match(r"expected change, not given: .*8", wanted)
    assert re.match(r"change given, not expected: .*9", given)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("good.toml", 'payload = "missing"\ntopic = "t"\nreceived_at = 2026-11-21T01:02:10Z'),
        ("good.toml", 'payload = "p"\ntopic = "t"\nreceived_at = 2026-11-21T01:02:10'),
        ("bad-one.toml", 'payload = "p"\ntopic = "t"\nreceived_at = 2026-11-21T01:02:10Z'),
        ("good.toml", 'payload = "p"'),
        ("good.toml", "payload"),
    ],
)
def test_a_sample_that_cannot_be_read_names_its_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "p").touch()
    (tmp_path / "samples" / name).write_text(text, "utf-8")
    with pytest.raises(SetupError, match=name) as caught:
        read_samples(tmp_path)
    assert caught.value.cure
