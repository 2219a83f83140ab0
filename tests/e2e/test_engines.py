# SPDX-License-Identifier: Apache-2.0
"""Goal: the four real databases lose nothing they acknowledged, whoever is killed under them.

To the data, killing the volume process is the same as a power cut of the machine below the engine: what
the kernel still holds in its cache is gone. So there only what was synced counts, as on any disk.
"""
import os

import pytest

from conftest import make_engine
from engines import ClickHouse, Postgres, Redis, Sqlite
from engines.redis import RedisRdb

RECORDS = 5000
ENGINES = [Postgres, Redis, RedisRdb, Sqlite, ClickHouse]


@pytest.fixture(params=ENGINES, ids=lambda cls: cls.__name__.lower())
def engine(request, mounted, work):
    made = make_engine(request.param, mounted, work)
    made.init()
    made.start()
    return made


def sync(volume):
    """Everything written to the volume so far is on its backing directory afterwards."""
    fd = os.open(volume.mountpoint, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.sync()
    finally:
        os.close(fd)


def test_engine_killed__every_acknowledged_record_is_there(engine, mounted):
    loaded = engine.load(RECORDS)
    writer = engine.writer()
    writer.wait_for(20)
    engine.kill()
    acknowledged = writer.finish()
    engine.start()
    engine.verify(acknowledged if engine.survives_engine_kill else loaded)
    mounted.call("verify")


def test_volume_process_killed_during_load__engine_recovers(engine, mounted):
    loaded = engine.load(RECORDS)
    sync(mounted)
    writer = engine.writer()
    writer.wait_for(20)
    mounted.kill()
    acknowledged = writer.finish()
    engine.kill_whatever_is_left()
    mounted.mount()
    engine.start()
    engine.verify(acknowledged if engine.survives_volume_kill else loaded)
    assert mounted.call("verify", check=False).returncode == 0


def test_engine_stopped_and_volume_remounted__data_is_equal(engine, mounted):
    engine.load(RECORDS)
    before = engine.fingerprint()
    engine.stop()
    mounted.unmount()
    mounted.mount()
    engine.start()
    assert engine.fingerprint() == before


def test_pgbench_killed_with_its_server__sums_agree(mounted, work):
    engine = make_engine(Postgres, mounted, work)
    engine.init()
    engine.start()
    loaded = engine.load(100)
    load = engine.pgbench_background("-c", "4", "-T", "60")
    try:
        writer = engine.writer()
        writer.wait_for(50)
        mounted.kill()
        acknowledged = writer.finish()
    finally:
        load.kill()
        load.wait()
    engine.kill_whatever_is_left()
    mounted.mount()
    engine.start()
    assert acknowledged > loaded
    engine.verify(acknowledged)
