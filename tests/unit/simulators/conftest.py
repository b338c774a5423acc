"""A real MQTT broker for the tests of sending, and the city built once."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from machinami_simulators import city, plan
from unit.simulators.helpers import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    server = Broker(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def namiki() -> city.City:
    return city.build(plan.namiki())


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = (
        Path(os.environ.get("MACHINAMI_SHARED_DATA") or Path(__file__).parents[3] / "../shared/data") / "real"
    )
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set MACHINAMI_SHARED_DATA")
    return folder
