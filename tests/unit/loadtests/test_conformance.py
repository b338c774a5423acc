"""ETSI's suite as we run it; a small one stands in for it, with a program that acts as Robot Framework."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from machinami.errors import InvalidRequest, SetupError
from machinami.local.ports import answers, free_port
from machinami_loadtests.conformance import brokers, cli, mosquitto
from machinami_loadtests.conformance.report import (
    Report,
    Result,
    Waiver,
    page,
    read_waivers,
    summary,
    waivers_for,
)
from machinami_loadtests.conformance.suite import GROUPS, Group, Outcome, Suite, read_outcomes
from machinami_loadtests.load.machine import Machine

OUTPUT = """<robot><suite name="TP"><suite name="001">
<test id="s1-t1" name="001_01_01 Create Entity"><kw><status status="FAIL">no</status></kw>
<status status="PASS"/></test>
<test id="s1-t2" name="001_01_02 Create Again"><kw><status status="PASS"/></kw>
<status status="FAIL">expected 409
 not 201 | 204</status></test></suite></suite></robot>"""

ROBOT = f"""#!{sys.executable}
import os, sys
from pathlib import Path
given = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv if "=" in argument)
folder = Path(given["outputdir"])
(folder / "said.txt").write_text("\\n".join([*sys.argv, os.environ["PATH"], os.getcwd()]))
if "silent" not in sys.argv[-1]:
    (folder / "output.xml").write_text({OUTPUT!r})
print("what went wrong", file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    suite = tmp_path / "suite"
    (suite / "TP/NGSI-LD").mkdir(parents=True)
    (suite / "resources/jsonld-contexts").mkdir(parents=True)
    (suite / "resources/jsonld-contexts/a.jsonld").write_text('{"@context": {}}')
    (suite / ".venv/bin").mkdir(parents=True)
    robot = suite / ".venv/bin/robot"
    robot.write_text(ROBOT)
    robot.chmod(0o755)
    return suite


GROUP = Group(name="Some", path="TP/NGSI-LD/Some")


def test_a_group_is_run_with_the_suite_s_own_words(folder: Path, tmp_path: Path) -> None:
    outcomes = Suite(folder).run(GROUP, ["http://a/ngsi-ld/v1", "http://b"], tmp_path / "out", "/bin:/here")
    assert [(outcome.test, outcome.title, outcome.passed) for outcome in outcomes] == [
        ("001_01_01", "Create Entity", True),
        ("001_01_02", "Create Again", False),
    ]
    assert outcomes[1].message == "expected 409 not 201 | 204"
    said = (tmp_path / "out/said.txt").read_text().splitlines()
    assert {"--variable=url:http://a/ngsi-ld/v1", "--variable=b2_url:http://b"} <= set(said)
    assert said[-3:] == ["TP/NGSI-LD/Some", "/bin:/here", str(folder.resolve())]


def test_an_older_result_is_not_taken_for_a_new_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "output.xml").write_text(OUTPUT)
    with pytest.raises(SetupError, match="no result for Silent: what went wrong"):
        Suite(folder).run(Group(name="Silent", path="silent"), ["http://a"], tmp_path, os.environ["PATH"])


def test_what_is_no_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no folder TP/NGSI-LD"):
        Suite(tmp_path)


def test_without_robot_framework_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".venv/bin/robot").unlink()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupError) as caught:
        Suite(folder)
    assert "pip install -r requirements.txt" in str(caught.value.cure)


def test_the_suite_s_own_contexts_are_found_by_their_addresses(folder: Path, tmp_path: Path) -> None:
    contexts = Suite(folder).contexts()
    assert [url.rpartition("/")[2] for url in contexts] == ["a.jsonld"]
    written = brokers.write_contexts(tmp_path / "contexts", contexts)
    assert str(folder / "resources/jsonld-contexts/a.jsonld") in (written / "url-map.json").read_text()


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "is_free", lambda port: port != 9091)
    brokers.check_ports(1)
    with pytest.raises(SetupError, match="9091 are in use"):
        brokers.check_ports(2)


@pytest.mark.parametrize(
    ("names", "count"), [([], len(GROUPS)), (["ContextInformation/Provision"], 6), (["Interoperability"], 1)]
)
def test_groups_are_chosen_by_their_beginning(names: list[str], count: int) -> None:
    assert len(cli._chosen(names)) == count


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no such group"):
        cli._chosen(["Nothing"])


def test_fresh_brokers_are_empty_and_know_their_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "BROKER_PORT", free_port())
    bad: Mapping[str, str] = {"MACHINAMI_QUERY_TIMEOUT": "much"}
    with pytest.raises(SetupError, match="does not start"), brokers.fresh_brokers(tmp_path / "a", 1, bad):
        pass
    with brokers.fresh_brokers(tmp_path / "b", 1, {}) as urls:
        assert brokers.httpx.get(f"{urls[0]}/entities?type=Thing&local=true").json() == []


def _report(outcomes: list[Outcome], waivers: list[Waiver]) -> Report:
    machine = Machine(
        processor="CPU",
        cores=2,
        memory_gib=4,
        kernel="6",
        system="Debian",
        load_before=0,
        fsync_per_second=1,
        fsync_p50_ms=1,
        python="3",
        machinami="0",
        nats_server="2",
        postgres="18",
        timescaledb="-",
    )
    results = [Result(group="Some", outcomes=outcomes, seconds=1)]
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return Report(began=began, broker="ours", suite="abc", results=results, waivers=waivers, machine=machine)


def test_a_waiver_explains_a_failure_and_is_no_pass(folder: Path, tmp_path: Path) -> None:
    outcomes = Suite(folder).run(GROUP, ["http://a"], tmp_path / "out", os.environ["PATH"])
    waivers = [Waiver(test="001_01_02", clause="5.6.1", reason="it is mistaken")]
    assert summary(_report([*outcomes, *outcomes], waivers)).endswith("2 of the others waived")
    report = _report(outcomes, waivers)
    assert summary(report) == "1 of 2 tests passed, 50.0 %; 1 of the others waived"
    text = "\n".join(page(report))
    assert "| Some | 1 | 2 | 50.0 | 1 | 1 |" in text
    assert "waived, clause 5.6.1: it is mistaken" in text
    assert "not 201 \\| 204" in "\n".join(page(_report(outcomes, [])))


def test_only_waivers_of_failed_tests_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "output.xml").write_text(OUTPUT)
    waivers = [Waiver(test=f"001_01_0{n}", clause="1", reason="r") for n in (1, 2)]
    monkeypatch.setattr("machinami_loadtests.conformance.report.read_waivers", lambda: waivers)
    results = [Result(group="Some", outcomes=read_outcomes(tmp_path / "output.xml"), seconds=1)]
    assert waivers_for(results) == waivers[1:]


def test_each_waiver_names_a_clause_and_a_reason() -> None:
    assert all(waiver.clause and waiver.reason for waiver in read_waivers())


MOSQUITTO = """import socket
server = socket.create_server(("127.0.0.1", {port}))
while True:
    server.accept()[0].close()
"""


def test_mosquitto_stands_in_for_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    for name, text in (
        ("mosquitto", f"#!{sys.executable}\n{MOSQUITTO.format(port=port)}"),
        ("mosquitto_passwd", "#!/bin/sh\n"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    settings = tmp_path / mosquitto._SETTINGS
    settings.mkdir(parents=True)
    (settings / "m.conf").write_text("password_file /mosquitto/config/mosquitto_pwd")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    docker = [mosquitto.lay_out(tmp_path / "bin", tmp_path, port).partition(":")[0] + "/docker"]
    subprocess.run([*docker, "rm", "-f", "name"], check=True)
    subprocess.run([*docker, "run", "-d", "-e", "CONF=m.conf", "image"], check=True)
    written = next((tmp_path / "bin").glob("mosquitto-*/m.conf")).read_text()
    assert f"password_file {tmp_path}/bin/mosquitto-" in written
    assert answers(port)
    subprocess.run([*docker, "container", "rm", "-f", "name"], check=True)
    assert not (tmp_path / "bin/mosquitto.pid").exists()


def test_without_mosquitto_the_container_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosquitto.shutil, "which", lambda *_, **__: None)
    assert mosquitto.lay_out(tmp_path / "bin", tmp_path) == os.environ["PATH"]
