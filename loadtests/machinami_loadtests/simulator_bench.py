"""How fast the simulated city is, thinking alone and publishing to a real broker; what a device takes."""

import math
import time
from pathlib import Path

import msgspec
import psutil
from machinami.local.broker import Broker
from machinami_simulators import city, plan, simulation, wire
from machinami_simulators.ledger import Ledger
from machinami_simulators.lines import find_lines
from machinami_simulators.scale import Scale
from machinami_simulators.scenario import Scenario
from machinami_simulators.sender import Sender
from machinami_simulators.stopping import Stop
from machinami_simulators.truth import Run, TruthLog
from machinami_simulators.world import World

_START = 1_795_129_200.0  # a Friday morning, when the city is awake
_WARM_UP = 6  # ticks: every device reports in the first, which is no measure of the others
# Numbers in a message; a receiver's has one for each address heard.
_VALUES = {wire.PADDY: 4, wire.RIVER_GAUGE: 2, wire.RENTAL_BIKE: 4}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; rates are for a second of CPU of one core, `published_per_second` of the clock.

    Attributes:
        readings: measured values; a message carries two to some dozens.
        bytes_per_device: resident memory of the running city, its people and weather included.
        publishing: simulation, truth, ledger, packets and acknowledgements together.
    """

    devices: int
    simulated_messages: float
    simulated_readings: float
    bytes_per_device: float
    connections: int
    publishing_messages: float
    published_per_second: float
    acknowledged: int


def bench_simulator(
    folder: Path, scale: Scale, scenario: Scenario, *, ticks: int, minutes: float, connections: int
) -> Report:
    """Measure on this machine, in an empty folder."""
    before = psutil.Process().memory_info().rss
    world = World(city.build(plan.namiki()), scenario, start=_START, seed=1, scale=scale)
    messages, readings, seconds = _think(world, ticks)
    memory = psutil.Process().memory_info().rss - before
    devices = world.devices
    del world
    sent, cpu, wall = _publish(folder, scale, scenario, minutes, connections)
    return Report(
        devices=devices,
        simulated_messages=messages / seconds,
        simulated_readings=readings / seconds,
        bytes_per_device=memory / devices,
        connections=connections,
        publishing_messages=sent / cpu,
        published_per_second=sent / wall,
        acknowledged=sent,
    )


def _think(world: World, ticks: int) -> tuple[int, int, float]:
    """Messages and readings of so many ticks, and the seconds of CPU that they took; nothing is sent."""
    for _ in range(_WARM_UP):
        world.step()
    messages = readings = 0
    seconds = 0.0
    for _ in range(ticks):
        began = time.process_time()
        made = world.step()
        seconds += time.process_time() - began
        messages += len(made)
        readings += sum(_VALUES.get(m.kind) or m.payload.count(b'"rssi"') for m in made)
    return messages, readings, seconds


def _publish(
    folder: Path, scale: Scale, scenario: Scenario, minutes: float, connections: int
) -> tuple[int, float, float]:
    """Messages acknowledged, seconds of this process's CPU and of the clock."""
    run = Run(scenario=scenario.name, seed=1, start=_START, scale=scale.name, utc_offset_hours=9)
    with (
        Broker(folder) as broker,
        TruthLog(folder / "truth", run) as truth,
        Ledger(folder / "ledger", "simulate") as ledger,
    ):
        world = World(city.build(plan.namiki()), scenario, start=_START, seed=1, scale=scale, truth=truth)
        line, window = find_lines(str(connections), world.devices)
        where = str(broker.mqtt["host"]), int(broker.mqtt["port"])
        with Sender(*where, ledger, window=window, line=line) as sender:
            cpu, wall = time.process_time(), time.perf_counter()
            clock = simulation.Clock(_START, math.inf)
            result = simulation.run(world, clock, sender, Stop(), until=_START + 60 * minutes)
            return result.acknowledged, time.process_time() - cpu, time.perf_counter() - wall
