"""`python -m machinami_simulators`: the two commands without the rest of Machinami, on any MQTT broker."""

import typer

from machinami_simulators.cli import replay, simulate

app = typer.Typer(no_args_is_help=True, help="A city that is not there; knows only the wire.")
app.command()(simulate)
app.command()(replay)

if __name__ == "__main__":
    app()
