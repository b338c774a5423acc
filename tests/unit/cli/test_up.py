"""`machinami up` passes on to the simulator what is its business."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from machinami import cli
from machinami.cli import city
from machinami.local.city import Plan

Up: TypeAlias = Callable[..., Plan]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Up:
    """Runs `machinami up` as far as its plan."""
    plans: list[Plan] = []

    def keep(plan: Plan, _screen: object) -> None:
        plans.append(plan)

    monkeypatch.setattr(city, "run_city", keep)

    def up(*words: str) -> Plan:
        assert cli.run(["up", "--data-dir", str(tmp_path), *words]) == 0
        return plans.pop()

    return up


def test_scale_and_faults_reach_the_simulator(planned: Up):
    plan = planned("--scale", "hamlet", "--fault", "dropout=0.1", "--fault", "late=0.2", "--seed", "0")
    assert " ".join(plan.simulate or ()) == "--scale hamlet --seed 0 --fault dropout=0.1 --fault late=0.2"


def test_master_data_are_those_of_the_scale(planned: Up):
    assert planned("--scale", "city").masters == ["--scale", "city"]


def test_a_simulator_without_options_has_none(planned: Up):
    plan = planned()
    assert (plan.simulate, plan.masters) == ([], [])


def test_without_a_simulator_there_are_no_options(planned: Up):
    assert planned("--no-simulator", "--scale", "hamlet").simulate is None
