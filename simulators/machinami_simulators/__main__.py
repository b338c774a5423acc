"""`python -m machinami_simulators`: the commands without the rest of Machinami, on any MQTT broker."""

import typer

from machinami_simulators.cli import replay, simulate
from machinami_simulators.judge_cli import judge
from machinami_simulators.record_cli import record
from machinami_simulators.scenario_cli import app as scenario
from machinami_simulators.truth_cli import truth

app = typer.Typer(no_args_is_help=True, help="A city that is not there; knows only the wire.")
app.command()(simulate)
app.command()(replay)
app.command()(record)
app.command()(truth)
app.command()(judge)
app.add_typer(scenario, name="scenario")

if __name__ == "__main__":
    app()
