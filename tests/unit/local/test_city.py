"""Whose the data folder is while a city starts."""

import os
import threading
from pathlib import Path

import pytest
from machinami.errors import Unavailable
from machinami.local.city import _whole_folder
from machinami.local.process import lock_folder


def test_a_look_at_the_folder_does_not_keep_a_city_from_starting(tmp_path: Path):
    look = lock_folder(tmp_path, wait=0.0)
    assert look is not None
    threading.Timer(0.1, os.close, [look]).start()
    with _whole_folder(tmp_path):
        assert lock_folder(tmp_path, wait=0.0) is None


def test_a_second_city_does_not_start_beside_the_first(tmp_path: Path):
    with _whole_folder(tmp_path), pytest.raises(Unavailable, match="runs on"), _whole_folder(tmp_path):
        pass
