"""What a figure was measured on, and progress while it is."""

import os
import platform
import sys
from pathlib import Path

import psutil


def machine() -> dict[str, object]:
    """What a figure was measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def measured_on() -> str:
    """The same as one line."""
    return "measured on " + ", ".join(f"{name} {value}" for name, value in machine().items())


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(f"· {text}", file=sys.stderr)
