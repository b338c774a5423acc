"""A whole city on this machine: which roles it has, in which order they start, and what prepares them."""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from machinami.errors import MachinamiError, SetupError, Unavailable
from machinami.local.broker import Broker
from machinami.local.counters import CounterReader, Counters, Gauge, live_line
from machinami.local.database import EmbeddedDatabase
from machinami.local.disks import DiskWatch, left_for_later, same_disk, shortages
from machinami.local.ports import LOOPBACK, claim_port
from machinami.local.process import lock_folder
from machinami.local.screen import Screen
from machinami.local.state import CityStatus, RoleStatus, State, orphans, remove_state, write_state
from machinami.local.supervisor import Service, StopRequested, Supervisor
from machinami.local.worker import Worker, run_to_end
from machinami.settings import CITY_FILE, City, Durability, write_city

_TICK = 0.1  # seconds between two looks at the roles
_STATUS_SECONDS = 1.0
_BOUND_SECONDS = 60.0
_ORPHAN_SECONDS = 3.0
_LOOK_SECONDS = 0.5  # `machinami status` holds the folder for a moment to see whether a city does
_STREAM_RESERVE = 2 * 2**30  # bytes for the streams that the MQTT listener keeps beside the messages


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What `machinami up` was asked for.

    Attributes:
        api_port: HTTP port; 0 takes a free one. The same holds for mqtt_port.
        database_url: an external PostgreSQL; None: the embedded one.
        simulate: options of the simulator; None: no simulator.
        masters: options with which it writes the city's master data.
        stream_max_bytes: disk space for messages that are not committed yet.
        durability: what they survive.
        ingest_workers: how many processes read them.
        api_workers: how many processes answer requests.
    """

    data_dir: Path
    api_port: int
    mqtt_port: int
    database_url: str | None = None
    simulate: Sequence[str] | None = ()
    masters: Sequence[str] = ()
    stream_max_bytes: int = 8 * 2**30
    durability: Durability = Durability.CRASH
    ingest_workers: int = 1
    api_workers: int = 1


def run_city(plan: Plan, screen: Screen) -> None:
    """Run the city until somebody stops it by Ctrl-C or SIGTERM.

    Raises:
        SetupError: a port is in use, or a part cannot start here.
        Unavailable: a city runs on this data folder already.
    """
    plan.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _whole_folder(plan.data_dir):
        _end_orphans(plan.data_dir, screen)
        api_port = claim_port(plan.api_port, option="--api-port")
        mqtt_port = claim_port(plan.mqtt_port, option="--mqtt-port")
        plan = msgspec.structs.replace(plan, api_port=api_port, mqtt_port=mqtt_port)
        supervisor = Supervisor(screen)
        with supervisor.supervision():
            try:
                _Run(plan, supervisor).forever()
            except StopRequested:
                screen.end()
                screen.say("stopping")
        screen.say("stopped")


class _Run:
    """One run of a city, from its start to its stop."""

    def __init__(self, plan: Plan, supervisor: Supervisor) -> None:
        self._plan = plan
        self._supervisor = supervisor
        self._external: list[RoleStatus] = []
        self._counters: Counters = {}
        self._gauge = Gauge()
        self._disks = DiskWatch(lambda: shortages(plan.data_dir))

    def forever(self) -> None:
        try:
            broker, url = self._start_servers()
            self._start_workers()
            with CounterReader(broker, url) as reader:
                self._watch(reader)
        finally:
            (self._plan.data_dir / CITY_FILE).unlink(missing_ok=True)
            remove_state(self._plan.data_dir)

    def _start_servers(self) -> tuple[Broker, str]:
        """Broker and database; devices are let in only when schema and stream are there."""
        plan, pause = self._plan, self._supervisor.pause
        url = self._start_database()
        broker = Broker(
            plan.data_dir,
            mqtt_port=plan.mqtt_port,
            store_bytes=plan.stream_max_bytes + _STREAM_RESERVE,
            durability=plan.durability,
        )
        try:
            broker.start(pause, devices=False)
            self._write_city(broker, url)
            self._run("prepare")
        finally:
            broker.stop()
        self._add(broker)
        return broker, url

    def _start_database(self) -> str:
        if self._plan.database_url is not None:
            address = without_password(self._plan.database_url)
            self._external = [RoleStatus(role="database", pid=None, state=State.EXTERNAL, address=address)]
            self._supervisor.screen.say(f"{'database':<10} {address} (external)")
            return self._plan.database_url
        database = EmbeddedDatabase(self._plan.data_dir)
        self._add(database)
        return database.url

    def _write_city(self, broker: Broker, url: str) -> None:
        city = City(
            api=f"http://{LOOPBACK}:{self._plan.api_port}",
            mqtt=broker.mqtt,
            nats=broker.nats,
            nats_password=broker.password,
            database=url,
            supervisor=os.getpid(),
            broker_monitor=broker.monitor_port,
        )
        write_city(self._plan.data_dir, city)

    def _start_workers(self) -> None:
        plan = self._plan
        for name in worker_roles("ingest", plan.ingest_workers):
            self._add(Worker(name, plan.data_dir, grace=0.8, metered=True, command="ingest"))
        shared = plan.api_workers > 1
        options = ("--port", str(plan.api_port), *(["--share-port"] if shared else ()))
        for name in worker_roles("api", plan.api_workers):
            api = Worker(
                name, plan.data_dir, options=options, port=plan.api_port, metered=shared, command="api"
            )
            self._add(api)
        self._add(Worker("notify", plan.data_dir, grace=0.5, metered=True))
        if plan.simulate is not None:
            self._add(Worker("simulate", plan.data_dir, options=plan.simulate))
            self._import_masters()

    def _import_masters(self) -> None:
        """The simulated city's gauges, ports and places, while its devices begin to send.

        At each start, which changes nothing unless the city was drawn anew; measurements do not wait for it.
        """
        folder = self._plan.data_dir / "masters"
        try:
            self._run("simulate", "--masters", str(folder), *self._plan.masters, log="masters")
            self._run("import", str(folder), log="masters")
        except SetupError as error:
            self._supervisor.screen.say(str(error))

    def _run(self, name: str, *options: str, log: str = "") -> None:
        worker = Worker(name, self._plan.data_dir, options=options, log=log)
        lines = run_to_end(worker, self._look_and_pause)
        if lines is not None:
            raise SetupError(f"machinami {name} failed:\n" + "\n".join(lines))

    def _look_and_pause(self, seconds: float) -> None:
        self._supervisor.look()
        self._supervisor.pause(seconds)

    def _watch(self, reader: CounterReader) -> None:
        status_due = bound_due = 0.0
        while True:
            self._supervisor.look()
            now = time.monotonic()
            if now >= status_due:
                status_due = now + _STATUS_SECONDS
                self._tell(reader)
            if now >= bound_due:
                bound_due = now + _BOUND_SECONDS
                self._supervisor.bound_logs()
            self._supervisor.pause(_TICK)

    def _add(self, service: Service) -> None:
        self._supervisor.add(service)
        self._write_state()

    def _tell(self, reader: CounterReader) -> None:
        try:
            self._counters = reader.read()
            line = live_line(self._counters)
        except MachinamiError as error:
            self._counters["stream_percent"] = reader.percent
            line = error.detail.splitlines()[0]
        if news := self._gauge.news(reader.percent):
            self._supervisor.screen.say(f"{'broker':<10} {news}")
        self._look_at_disks()
        self._supervisor.screen.live(line)
        self._write_state()

    def _look_at_disks(self) -> None:
        for news in self._disks.news():
            self._supervisor.screen.say(f"{'disk':<10} {news}")
        stream = self._plan.data_dir / "stream"
        if any(same_disk(Path(folder), stream) for folder in self._disks.relieved):
            # a stream of nats-server that could not write once refuses all writes until it is opened anew
            self._supervisor.restart("broker", "starts anew: after a full disk it stores nothing more")

    def _write_state(self) -> None:
        roles = self._external + [role.status() for role in self._supervisor.roles]
        with left_for_later():
            write_state(self._plan.data_dir, CityStatus(roles=roles, counters=self._counters))


def worker_roles(name: str, workers: int) -> Sequence[str]:
    """``ingest``, or ``ingest-1``, ``ingest-2`` … where there are several."""
    return [name] if workers == 1 else [f"{name}-{number + 1}" for number in range(workers)]


@contextmanager
def _whole_folder(data_dir: Path) -> Generator[None]:
    descriptor = lock_folder(data_dir, wait=_LOOK_SECONDS)
    if descriptor is None:
        raise Unavailable(
            f"a city runs on {data_dir} already",
            field="--data-dir",
            value=str(data_dir),
            cure="Stop it, or choose another --data-dir; machinami status shows it",
        )
    try:
        yield
    finally:
        os.close(descriptor)


def _end_orphans(data_dir: Path, screen: Screen) -> None:
    """The kernel ends the children of a killed supervisor; whoever has not gone yet is helped along."""
    left = psutil.wait_procs(orphans(data_dir), timeout=_ORPHAN_SECONDS)[1]
    for process in left:
        screen.say(f"ending process {process.pid}, left over from a killed start")
        process.kill()
    psutil.wait_procs(left, timeout=_ORPHAN_SECONDS)
    remove_state(data_dir)


def without_password(url: str) -> str:
    """A database URL that may be shown."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":…@", 1) if password else url
