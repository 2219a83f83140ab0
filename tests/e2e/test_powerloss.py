# SPDX-License-Identifier: Apache-2.0
"""Goal: a power loss at any moment costs no engine a commit that it acknowledged.

An engine works on a volume whose process writes down everything that it does to its backing directory; the
size of that record right after each acknowledgement is kept. Then the backing directory is rebuilt as a power
loss at many moments would have left it, with some of the pages and metadata operations that were pending and
without the others, mounted with the ordinary program, and the engine is started on it: every commit that was
acknowledged by then is there, and the engine's own checks find nothing.

Two states are gone through at a time. KEYSTEAD_CRASH_STATES sets how many for each engine, KEYSTEAD_CRASH_SEED which ones.
"""
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import make_engine
from engines import Postgres, Redis, Sqlite
from engines.writer import Writer
from harness import powerloss, proc
from harness.keystead import Keystead, Volume

SEED = int(os.environ.get("KEYSTEAD_CRASH_SEED", "1"))
STATES = int(os.environ.get("KEYSTEAD_CRASH_STATES", "200"))
AT_A_TIME = 2
ACCOUNTS = 1000
SCRIPT = f"""\\set a random(1, {ACCOUNTS})
\\set delta random(-5000, 5000)
begin;
update pgbench_accounts set abalance = abalance + :delta where aid = :a;
update pgbench_tellers set tbalance = tbalance + :delta where tid = 1 + :a % 10;
update pgbench_branches set bbalance = bbalance + :delta where bid = 1;
insert into pgbench_history (aid, delta) values (:a, :delta);
end;
"""


class SmallPostgres(Postgres):
    """Little data, small WAL segments, many checkpoints; another load beside the writer."""
    commits = 400
    initdb_options = ("--wal-segsize=1",)
    settings = {"shared_buffers": "16MB", "min_wal_size": "2MB", "max_wal_size": "4MB",
                "autovacuum_naptime": "1s"}

    def start_command(self):
        # what is outside of the data may be elsewhere than where they were made
        return [*super().start_command(), "-o",
                f"-p {self.port} -k {self.aux} -c external_pid_file={self.pid_file}"]

    def load(self, count):
        self.query(f"create table pgbench_accounts as select aid, 0 as abalance "
                   f"from generate_series(1, {ACCOUNTS}) aid;"
                   "create unique index on pgbench_accounts (aid);"
                   "create table pgbench_tellers as select tid, 0 as tbalance "
                   "from generate_series(1, 10) tid;"
                   "create table pgbench_branches as select 1 as bid, 0 as bbalance;"
                   "create table pgbench_history (aid int, delta int);"
                   "create table ledger (n bigint primary key, body text not null);"
                   f"insert into ledger select n, md5(n::text) from generate_series(1, {count}) n;"
                   "create extension amcheck")
        return count

    def disturb(self):
        """A thing to do beside the writer; what ends it."""
        script = os.path.join(self.aux, "transfer.sql")
        with open(script, "w") as f:
            f.write(SCRIPT)
        load = self.pgbench_background("-n", "-f", script, "-c", "2", "-T", "300")
        self.query("checkpoint")

        def end():
            load.kill()
            load.wait()
        return end


class RewritingRedis(Redis):
    """What was not acknowledged yet may be there with zeros in its middle, on ext4 as here: a page in front of one that
    survived was lost. Redis then asks for its repair program, which cuts the file behind the last whole command."""
    commits = 600
    programs = (*Redis.programs, "/usr/bin/redis-check-aof")
    packages = "redis-server redis-tools"
    repaired = 0

    def _asks_for_repair(self, begun):
        with open(self.log, "rb") as f:
            f.seek(begun)
            return b"redis-check-aof --fix" in f.read()

    def start(self, timeout=60):
        begun = os.path.getsize(self.log)
        proc.run_daemon(proc.as_user(self.user, self.start_command()), self.log)
        proc.wait_until(lambda: self.is_ready() or self._asks_for_repair(begun), "redis answers", timeout)
        if self._asks_for_repair(begun):
            manifest = os.path.join(self.data, "appendonlydir", "appendonly.aof.manifest")
            proc.run([self.programs[1], "--fix", manifest], input="y\n", stdin=None)
            self.repaired += 1
            super().start(timeout)

    def disturb(self):
        with self.client() as c:
            c.call("BGREWRITEAOF")
        return lambda: None


class CheckpointingSqlite(Sqlite):
    commits = 400
    autocheckpoint = 40

    def disturb(self):
        return lambda: None


@pytest.fixture
def states(work):
    """A directory for rebuilt backing directories, in memory where there is such a place."""
    path = tempfile.mkdtemp(prefix="keystead-states-", dir=powerloss.memory_directory(work))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def lost(volume, work, request):
    """lost(engine): what the engine's work on a recorded volume left; (PowerLoss, [(n, time)])."""
    assert not powerloss.missing(), powerloss.missing()
    made = []

    def run(engine, monkeypatch):
        record = os.path.join(work, "record")
        volume.mount()
        engine.init()
        engine.start()
        engine.load(200)
        engine.stop()
        volume.unmount()
        loss = powerloss.PowerLoss(volume.backing)
        made.append(loss)
        monkeypatch.setattr(Writer, "mark", staticmethod(lambda: os.stat(record).st_size))
        ordinary, volume.cli = volume.cli, powerloss.recorded_program()
        volume.mount(env={**os.environ, "KEYSTEAD_TEST_RECORD": record})
        volume.cli = ordinary
        engine.start()
        writer = engine.writer()
        writer.wait_for(engine.commits // 4)
        end = engine.disturb()
        writer.wait_for(engine.commits - engine.commits // 4, timeout=200)
        end()
        engine.kill()
        writer.finish()
        volume.unmount()
        loss.load(record)
        return loss, [(n, loss.time(size)) for n, size in writer.marks]

    yield run
    for loss in made:
        loss.close()


def acknowledged_at(marks, time):
    return max(n for n, t in marks if t <= time)


class Apart(Keystead):
    """The program with a run directory of its own: all states are one volume by their id, and would meet there."""

    def __init__(self, binary, run_dir):
        super().__init__(binary)
        os.mkdir(run_dir, 0o700)
        self.environment = {**os.environ, "KEYSTEAD_RUN_DIR": run_dir}

    def run(self, *args, **kwargs):
        return super().run(*args, env=self.environment, **kwargs)


class Place:
    """A mount point and an engine of its own, which states are put to one after another."""

    def __init__(self, number, volume, work, cls):
        self.cli = Apart(volume.cli.binary, os.path.join(work, f"run-{number}"))
        self.mountpoint = f"{volume.mountpoint}-{number}"
        self.log = os.path.join(work, f"volume-{number}.log")
        self.engine = cls(self.mountpoint, os.path.join(work, f"aux-{number}"))
        self.engine.settle()

    def examine(self, backing, acknowledged, is_verified):
        after = Volume(self.cli, backing, self.mountpoint, self.log)
        after.mount()
        self.engine.start()
        self.engine.verify(acknowledged)
        if is_verified:
            after.call("verify")
        self.engine.discard()
        after.unmount()


class Examination:
    """Hands out states to places; the first failure ends it."""

    def __init__(self, loss, marks, directory):
        self.loss, self.marks, self.directory = loss, marks, directory
        self.states = enumerate(loss.states(marks[0][1], STATES, SEED))
        self.lock = threading.Lock()
        self.sound, self.has_failed = 0, False

    def _next(self):
        with self.lock:
            number, state = next(self.states, (0, None))
            if state is None or self.has_failed:
                return None
            backing = os.path.join(self.directory, str(number))
            os.mkdir(backing)
            self.loss.rebuild(state, backing)
            return number, state, backing

    def run(self, place):
        for number, state, backing in iter(self._next, None):
            try:
                place.examine(backing, acknowledged_at(self.marks, state.time), number % 10 == 0)
            except Exception as e:
                self.has_failed = True
                raise AssertionError(f"state {number} of seed {SEED}: {state}") from e
            shutil.rmtree(backing)
            with self.lock:
                self.sound += 1


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cls", [SmallPostgres, RewritingRedis, CheckpointingSqlite],
                         ids=["postgres", "redis", "sqlite"])
def test_power_lost_at_any_time__every_acknowledged_commit_is_there(cls, volume, lost, states, work,
                                                                    monkeypatch):
    loss, marks = lost(make_engine(cls, volume, work), monkeypatch)
    examination = Examination(loss, marks, states)
    places = [Place(n, volume, work, cls) for n in range(AT_A_TIME)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(examination.run, places))
    repaired = sum(getattr(place.engine, "repaired", 0) for place in places)
    print(f"{cls.name}: {examination.sound} states, {marks[-1][0]} commits, {loss.times()[0]} events, "
          f"{repaired} repaired")
    assert examination.sound == STATES
