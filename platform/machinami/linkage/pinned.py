"""Folders of @contexts that need no network: a map of addresses to files, and the files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import orjson

from machinami.errors import SetupError

INDEX_FILES = ("url-map.json", "map.json")
"""Names that the map of a context folder may have, the first that is there counts."""


def read_pinned(folders: Iterable[Path]) -> dict[str, Path]:
    """Address → file of all folders; of two with one address the last counts.

    Raises:
        SetupError: a folder without map, a map that is none, or that names a file which is not there.
    """
    return {url: file for folder in folders for url, file in _read_folder(folder).items()}


def read_document(file: Path) -> dict[str, Any]:
    """The JSON-LD document of a file.

    Raises:
        SetupError: it cannot be read, or is no JSON object.
    """
    try:
        document = orjson.loads(file.read_bytes())
    except (OSError, json.JSONDecodeError) as error:
        raise _broken(file, f"cannot be read as JSON: {error}", "Mend the file") from error
    if not isinstance(document, dict):
        raise _broken(file, "is no JSON object", 'Write {"@context": …}')
    return cast("dict[str, Any]", document)


def _read_folder(folder: Path) -> dict[str, Path]:
    index = next((folder / name for name in INDEX_FILES if (folder / name).is_file()), None)
    if index is None:
        raise _broken(folder, f"has no {' or '.join(INDEX_FILES)}", 'Write one: {"https://…": "file.jsonld"}')
    files: dict[str, Path] = {}
    for url, name in read_document(index).items():
        if not isinstance(name, str) or not (folder / name).is_file():
            raise _broken(
                index, f"maps {url} to {name!r}, which is no file there", "Add it, or take the line out"
            )
        files[url] = folder / name
    return files


def _broken(path: Path, what: str, cure: str) -> SetupError:
    return SetupError(f"{path} {what}", field="context_folders", value=str(path), cure=cure)
