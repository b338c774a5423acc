"""`machinami scenario`: which scenarios there are, what is in them, and how to write one."""

from pathlib import Path
from typing import Annotated

import typer

from machinami_simulators.cli import plainly
from machinami_simulators.errors import InvalidOption
from machinami_simulators.scenario import find_scenario, scenario_files, scenarios

app = typer.Typer(help="What may happen in the simulated city.", no_args_is_help=True)

_TEMPLATE = """\
# Play it with `machinami simulate --scenario {path}`. Everything but title and description may be left out.
# Times are written with their unit: "90 s", "20 min", "6 h", "3 d"; `after` counts from the start.
title = {{ ja = "{name}", en = "{name}" }}
description = "what happens, in a line"
season = "06-20"  # month and day that weather and crops are in at the start; left out: as the date is
showers = 0.11    # chance of a shower in an hour
warmer = 0.0      # °C above an ordinary year

# Rain that stays on a river's catchment: nami, sagisawa or enoki.
[[storm]]
river = "enoki"
after = "30 min"
lasts = "2 h"
peak = 60         # mm/h

# A crowd at a place; riders: how much more bikes are wanted.
[[festival]]
place = "castle-ruin"
after = "3 h"
lasts = "4 h"
crowd = 3.0
riders = 2.0

# How many people are out, against an ordinary day.
[[outing]]
after = "30 min"
lasts = "3 h"
residents = 0.6
visitors = 0.4
riders = 0.3

# What goes wrong: of a kind of device, a device, or a pattern of names.
[[fault]]
kind = "dropout"
of = "gauge-enoki-*"
share = 0.5       # of these devices
chance = 0.1      # of each reading
after = "1 h"
lasts = "2 h"

# How devices are set up.
[[device]]
kind = "river-gauge"
interval = "30 s"
qos = 1

# Recorded devices beside the simulated ones; wants --recordings DIR and a --from within the recorded time.
# [[replay]]
# recording = "fukui-river"
# files = "data/2023-07-1?.csv"
"""


@app.command("list")
@plainly
def list_scenarios() -> None:
    """Name and description of each scenario that comes with Machinami."""
    for scenario in scenarios().values():
        print(f"{scenario.name:<18} {scenario.title.ja}  {scenario.description}")


@app.command()
@plainly
def show(name: Annotated[str, typer.Argument(help="One of `machinami scenario list`.")]) -> None:
    """The file of a scenario, to be read or copied."""
    find_scenario(name)
    text = scenario_files().get(name) or Path(name).read_text(encoding="utf-8")
    print(text, end="")


@app.command()
@plainly
def new(path: Annotated[Path, typer.Argument(help="File to write; its name ends with .toml.")]) -> None:
    """Write an example with every key, to be changed and played.

    machinami scenario new flood.toml
    """
    if path.suffix != ".toml":
        raise InvalidOption(f"{path} does not end with .toml", f"Write {path}.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEMPLATE.format(path=path, name=path.stem))
    except OSError as error:
        raise InvalidOption(
            f"{path} cannot be written ({error.strerror})", "Name a file that is not there yet"
        ) from error
    print(path)
