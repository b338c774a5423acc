"""Dashboards for people: static pages that speak HTTP to the standard API only."""

from pathlib import Path


def static_folder() -> Path:
    """Folder with the pages; the API serves it."""
    return Path(__file__).parent / "static"
