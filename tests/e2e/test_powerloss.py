# SPDX-License-Identifier: Apache-2.0
"""Goal: a power loss at any moment costs no engine a commit that it acknowledged.

An engine works on a volume whose process writes down everything that it does to its backing directory; the
size of that record right after each acknowledgement is kept. Then the backing directory is rebuilt as a power
loss at many moments would have left it, with some of the pages and metadata operations that were pending and
without the others, mounted with the ordinary program, and the engine is started on it: every commit that was
acknowledged by then is there, and the engine's own checks find nothing.

KEYSTEAD_CRASH_STATES sets how many states each engine goes through, KEYSTEAD_CRASH_SEED which ones.
"""
import os
import shutil
import tempfile

import pytest

from conftest import make_engine
from engines import Postgres, Redis, Sqlite
from engines.writer import Writer
from harness import powerloss, proc
from harness.keystead import Volume

SEED = int(os.environ.get("KEYSTEAD_CRASH_SEED", "1"))
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
    states, commits = 20, 400
    initdb_options = ("--wal-segsize=1",)
    settings = {"shared_buffers": "16MB", "min_wal_size": "2MB", "max_wal_size": "4MB",
                "autovacuum_naptime": "1s"}

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
    states, commits = 60, 600
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
    states, commits = 200, 400
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


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cls", [SmallPostgres, RewritingRedis, CheckpointingSqlite],
                         ids=["postgres", "redis", "sqlite"])
def test_power_lost_at_any_time__every_acknowledged_commit_is_there(cls, volume, lost, states, work,
                                                                    monkeypatch):
    engine = make_engine(cls, volume, work)
    loss, marks = lost(engine, monkeypatch)
    count = int(os.environ.get("KEYSTEAD_CRASH_STATES", cls.states))
    sound = 0
    for number, state in enumerate(loss.states(marks[0][1], count, SEED)):
        backing = os.path.join(states, str(number))
        os.mkdir(backing)
        loss.rebuild(state, backing)
        after = Volume(volume.cli, backing, volume.mountpoint, volume.log)
        try:
            after.mount()
            engine.start()
            engine.verify(acknowledged_at(marks, state.time))
            if number % 10 == 0:
                after.call("verify")
        except Exception as e:
            raise AssertionError(f"state {number} of seed {SEED}: {state}") from e
        engine.stop()
        after.unmount()
        shutil.rmtree(backing)
        sound += 1
    print(f"{cls.name}: {sound} states, {marks[-1][0]} commits, {loss.times()[0]} events, "
          f"{getattr(engine, 'repaired', 0)} repaired")
    assert sound == count
