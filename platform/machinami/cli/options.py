"""Options that commands share, and the settings they make."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from machinami.errors import SetupError
from machinami.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the city.",
        envvar="MACHINAMI_DATA_DIR",
        show_default="user's data folder",
        file_okay=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load_settings(data_dir: Path | None, **given: object) -> Settings:
    """Settings for a command.

    Raises:
        SetupError: machinami.toml or a MACHINAMI_… variable holds what it must not.
    """
    try:
        return Settings.load(data_dir.absolute() if data_dir else None, **given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SetupError(
            f"setting {name} is {first['input']!r}: {first['msg']}",
            field=name,
            value=first["input"],
            cure=f"Mend it in machinami.toml of the data folder, or in MACHINAMI_{name.upper()}",
        ) from error
