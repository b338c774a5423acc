"""ETSI's test suite as it lies in a folder: its groups, its @contexts, and how Robot Framework runs it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import msgspec
from machinami.errors import SetupError

BROKER_PORT = 9090
"""Where the suite looks for the broker; some of its tests have it written into them."""

MOCK_PORTS = (8085, 8086, 8087)
"""Its notification receiver, its context source and its context server."""

_CONFORMANCE, _INTEROPERATION = "TP/NGSI-LD", "IOP_TP/NGSI-LD/Interoperability"
_CONTEXTS = "resources/jsonld-contexts"
_CONTEXT_URL = "https://forge.etsi.org/rep/cim/ngsi-ld-test-suite/-/raw/develop/resources/jsonld-contexts/"
_CORE_URL = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
_LIBRARY = "libraries/robotframework-httpctrl/src"  # the suite mended it for its mock servers
_MOST_BROKERS = 5


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Tests that are run together, on brokers that were empty before.

    Attributes:
        path: folder in the suite.
        brokers: how many its tests speak to.
    """

    name: str
    path: str
    brokers: int = 1


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One test: its identifier, e.g. ``018_01_02``, its title, and why it failed."""

    test: str
    title: str
    passed: bool
    message: str = ""


_FOLDERS = (
    "CommonBehaviours",
    "ContextInformation/Consumption/Discovery",
    "ContextInformation/Consumption/Entity",
    "ContextInformation/Consumption/TemporalEntity",
    "ContextInformation/Provision/BatchEntities",
    "ContextInformation/Provision/Entities",
    "ContextInformation/Provision/EntityAttributes",
    "ContextInformation/Provision/PurgeEntities",
    "ContextInformation/Provision/TemporalEntity",
    "ContextInformation/Provision/TemporalEntityAttributes",
    "ContextInformation/Subscription",
    "ContextSource/Discovery",
    "ContextSource/Registration",
    "ContextSource/RegistrationSubscription",
    "DistributedOperations/Consumption",
    "DistributedOperations/LoopDetection",
    # One by one: what a test leaves that breaks off (D015_01_inc) is in the way of redirects (5.9.2.4).
    "DistributedOperations/Provision/BatchEntities/CreateBatchOfEntities",
    "DistributedOperations/Provision/BatchEntities/DeleteBatchEntities",
    "DistributedOperations/Provision/BatchEntities/DeleteBatchOfEntities",
    "DistributedOperations/Provision/BatchEntities/MergeBatchOfEntities",
    "DistributedOperations/Provision/BatchEntities/UpdateBatchOfEntities",
    "DistributedOperations/Provision/BatchEntities/UpsertBatchOfEntities",
    "DistributedOperations/Provision/Entities",
    "DistributedOperations/Provision/EntityAttributes",
    "jsonldContext",
)
GROUPS: Mapping[str, Group] = {
    **{name: Group(name=name, path=f"{_CONFORMANCE}/{name}") for name in _FOLDERS},
    "Interoperability": Group(name="Interoperability", path=_INTEROPERATION, brokers=_MOST_BROKERS),
}


class Suite:
    """The suite in a folder.

    Args:
        robot: Robot Framework's command with the libraries the suite asks for.

    Raises:
        SetupError: the suite, or what runs it, is not there.
    """

    def __init__(self, folder: Path, robot: str | None = None) -> None:
        if not (folder / _CONFORMANCE).is_dir():
            raise SetupError(
                f"{folder} is not ETSI's test suite: it has no folder {_CONFORMANCE}",
                field="SUITE",
                cure="Clone it from forge.etsi.org/rep/cim/ngsi-ld-test-suite and name its folder",
            )
        self.folder = folder.resolve()
        self._robot = robot or _find_robot(self.folder)

    def contexts(self) -> Mapping[str, Path]:
        """The @contexts that its tests use by an address on the internet, and that it brings along."""
        files = sorted((self.folder / _CONTEXTS).glob("*.jsonld"))
        return {_CONTEXT_URL + file.name: file for file in files}

    def commit(self) -> str:
        """Which version it is; empty where the folder is no clone."""
        git = ["git", "-C", str(self.folder), "rev-parse", "HEAD"]
        if not (self.folder / ".git").exists():
            return ""
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()

    def run(self, group: Group, brokers: Sequence[str], output: Path, path: str) -> list[Outcome]:
        """Run a group.

        Args:
            brokers: base URLs, ending with ``/ngsi-ld/v1``.
            output: folder of Robot Framework's own output.
            path: PATH of the programs that the tests start.

        Raises:
            SetupError: Robot Framework gave no result; the message has its last lines.
        """
        output.mkdir(parents=True, exist_ok=True)
        result = output / "output.xml"
        result.unlink(missing_ok=True)
        command = [self._robot, "--console", "none", "--log", "none", "--report", "none"]
        command += [f"--outputdir={output.resolve()}", *self._variables(brokers), group.path]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(self.folder / _LIBRARY)},
            capture_output=True,
            text=True,
            check=False,
        )
        if not result.exists():
            raise SetupError(f"Robot Framework gave no result for {group.name}: {done.stderr[-500:]}")
        return read_outcomes(result)

    def _variables(self, brokers: Sequence[str]) -> list[str]:
        given = {
            "url": brokers[0],
            "temporal_api_url": brokers[0],
            "core_context": _CORE_URL,
            "mqtt_broker_host": "127.0.0.1",
            **{f"b{number}_url": url for number, url in enumerate(brokers, start=1)},
        }
        return [f"--variable={name}:{value}" for name, value in given.items()]


def read_outcomes(result: Path) -> list[Outcome]:
    """Read Robot Framework's output.xml."""
    tree = ElementTree.parse(result)  # noqa: S314 # written by the program that we started a moment ago
    return [_outcome(test) for test in tree.iter("test")]


def _outcome(test: "ElementTree.Element[str]") -> Outcome:
    identifier, _, title = test.get("name", "").partition(" ")
    status = test.find("status")
    passed = status is not None and status.get("status") == "PASS"
    message = "" if passed or status is None else " ".join((status.text or "").split())
    return Outcome(test=identifier, title=title, passed=passed, message=message)


def _find_robot(folder: Path) -> str:
    beside = [folder / ".venv/bin/robot", Path(sys.executable).with_name("robot")]
    found = next((str(path) for path in beside if path.exists()), None) or shutil.which("robot")
    if found is None:
        cure = f"cd {folder} && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
        raise SetupError("Robot Framework is not there", field="--robot", cure=cure)
    return found
