"""What `machinami status` shows of a city that is in trouble."""

from machinami.cli.city import _table
from machinami.local.disks import Shortage
from machinami.local.state import CityStatus, RoleStatus, State


def test_a_full_disk_comes_first_and_a_waiting_role_says_why():
    disk = Shortage(folder="/wal", free=0, size=2**30, full=True)
    database = RoleStatus(role="database", pid=None, state=State.WAITING, trouble="could not start\nno room")
    lines = "\n".join(_table(CityStatus(roles=[database], counters={"lag": 3}, disks=[disk]))).splitlines()
    assert lines[0] == str(disk)
    assert [" ".join(line.split()) for line in lines[3:6]] == [
        "database waiting –",
        "could not start",
        "no room",
    ]


def test_without_trouble_there_is_nothing_but_roles_and_counters():
    role = RoleStatus(role="api", pid=7, state=State.RUNNING)
    lines = _table(CityStatus(roles=[role], counters={}))
    assert lines[0].startswith("role")
    assert len(lines) == 3
