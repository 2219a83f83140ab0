# SPDX-License-Identifier: Apache-2.0
"""What is measured. A row has a name, a unit, and a function that measures one target once.

Rows whose figure is a time say so: there lower is better, everywhere else higher is. The bar is what the ratio to plain
ext4 must reach, the stretch is where it is to end.
"""
import itertools
import json
import os
import shutil
import subprocess
import time

from engines.clickhouse import ClickHouse
from engines.postgres import Postgres
from engines.redis import Redis
from harness import proc

from targets import USER

HERE = os.path.dirname(os.path.abspath(__file__))
SQLITE = os.path.join(HERE, "sqlite_bench.py")
ROWS = {}
numbers = itertools.count()
WRITE_32 = ("--rw=randwrite", "--bs=4k", "--fdatasync=32")
MIXED = ("--rw=randrw", "--rwmixread=70", "--bs=8k", "--fdatasync=32")


class Size:
    """How much work a row does: one of SIZES."""

    def __init__(self, name="usual"):
        self.name = name
        for what, amount in SIZES[name].items():
            setattr(self, what, amount)


SIZES = {
    "quick": {"rounds": 3, "seconds": 3, "limit": 60, "file_mib": 256, "scale": 10, "redis_requests": 20_000, "files": 1000,
              "stat_files": 5000, "populate": 100_000, "sqlite_rows": 100_000, "clickhouse_rows": 2_000_000},
    "usual": {"rounds": 5, "seconds": 3, "limit": 60, "file_mib": 512, "scale": 10, "redis_requests": 40_000, "files": 4000,
              "stat_files": 20_000, "populate": 100_000, "sqlite_rows": 200_000, "clickhouse_rows": 5_000_000},
    "long": {"rounds": 5, "seconds": 9, "limit": 300, "file_mib": 1024, "scale": 50, "redis_requests": 100_000, "files": 4000,
             "stat_files": 100_000, "populate": 500_000, "sqlite_rows": 300_000, "clickhouse_rows": 20_000_000},
}


def row(name, unit, is_time=False, bar=None, stretch=None):
    def add(function):
        ROWS[name] = {"name": name, "unit": unit, "is_time": is_time, "bar": bar, "stretch": stretch,
                      "measure": function}
        return function
    return add


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3\n")


def build_tools(directory):
    """Compiles what rows need into a directory, for this process's lifetime."""
    os.environ["KEYSTEAD_BENCH_TOOLS"] = directory
    proc.run(["cc", "-O2", "-o", os.path.join(directory, "fsops"), os.path.join(HERE, "fsops.c")])


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)


# --- fio -----------------------------------------------------------------------------------------

def fio(directory, size, filename, *options):
    argv = ["fio", "--name=row", f"--filename={directory}/fio/{filename}", "--ioengine=psync",
            f"--size={size.file_mib}M", "--invalidate=0", "--randrepeat=0", "--refill_buffers",
            "--group_reporting", "--output-format=json", *options]
    return json.loads(proc.run(argv, timeout=600).stdout)["jobs"][0]


def timed(size):
    return ("--time_based", f"--runtime={size.seconds}")


def laid_out(directory, size):
    """The file that the read rows read, written once per target."""
    path = os.path.join(directory, "fio", "data")
    if not os.path.exists(path) or os.path.getsize(path) != size.file_mib << 20:
        fio(directory, size, "data", "--rw=write", "--bs=1M", "--end_fsync=1")
    return "data"


@row("sequential write 1M + fsync", "MB/s", bar=0.50, stretch=0.65)
def fio_seq_write(directory, size):
    path = os.path.join(directory, "fio", "written")
    if os.path.exists(path):
        os.unlink(path)
    os.sync()
    return fio(directory, size, "written", "--rw=write", "--bs=1M",
               "--end_fsync=1")["write"]["bw_bytes"] / 1e6


@row("sequential read 1M, cold", "MB/s", bar=0.75, stretch=0.85)
def fio_seq_read_cold(directory, size):
    name = laid_out(directory, size)
    drop_caches()
    return fio(directory, size, name, "--rw=read", "--bs=1M")["read"]["bw_bytes"] / 1e6


@row("sequential read 1M, warm", "MB/s", bar=0.90, stretch=0.97)
def fio_seq_read_warm(directory, size):
    name = laid_out(directory, size)
    fio(directory, size, name, "--rw=read", "--bs=1M")
    return fio(directory, size, name, "--rw=read", "--bs=1M",
               *timed(size))["read"]["bw_bytes"] / 1e6


@row("random read 4k, cold, 1 job", "iops", bar=0.60, stretch=0.70)
def fio_rand_read_cold(directory, size):
    name = laid_out(directory, size)
    drop_caches()
    return fio(directory, size, name, "--rw=randread", "--bs=4k", *timed(size))["read"]["iops"]


@row("random read 4k, direct, depth 16 x 2", "iops", bar=0.75, stretch=0.85)
def fio_rand_read_deep(directory, size):
    name = laid_out(directory, size)
    drop_caches()
    return fio(directory, size, name, "--rw=randread", "--bs=4k", "--ioengine=libaio",
               "--direct=1", "--iodepth=16", "--numjobs=2", *timed(size))["read"]["iops"]


@row("random read 4k, warm", "iops", bar=0.65, stretch=0.85)
def fio_rand_read_warm(directory, size):
    name = laid_out(directory, size)
    fio(directory, size, name, "--rw=read", "--bs=1M")
    return fio(directory, size, name, "--rw=randread", "--bs=4k", *timed(size))["read"]["iops"]


@row("random write 4k, fsync every one", "iops", bar=0.55, stretch=0.70)
def fio_rand_write_1(directory, size):
    name = laid_out(directory, size)
    return fio(directory, size, name, "--rw=randwrite", "--bs=4k", "--fdatasync=1",
               *timed(size))["write"]["iops"]


@row("random write 4k, fsync every 32", "iops", bar=0.80, stretch=1.00)
def fio_rand_write_32(directory, size):
    name = laid_out(directory, size)
    return fio(directory, size, name, *WRITE_32, *timed(size))["write"]["iops"]


@row("mixed 8k 70/30, fsync every 32", "iops", bar=0.75, stretch=0.95)
def fio_mixed(directory, size):
    name = laid_out(directory, size)
    done = fio(directory, size, name, *MIXED, *timed(size))
    return done["read"]["iops"] + done["write"]["iops"]


# --- metadata ------------------------------------------------------------------------------------

def fsops(directory, what, count, timeout=600):
    tool = os.path.join(os.environ["KEYSTEAD_BENCH_TOOLS"], "fsops")
    return float(proc.run([tool, what, directory, str(count)], timeout=timeout).stdout)


def new_directory(directory):
    """For many files that are left there: ext4 without a journal makes files slowly for minutes after others were removed."""
    work = os.path.join(directory, "fio", f"files-{next(numbers)}")
    os.mkdir(work)
    return work


def with_files(directory, size, what, warm=False):
    work = new_directory(directory)
    result = fsops(work, "create", size.files)
    if warm:
        fsops(work, what, size.files)
    if what != "create":
        result = fsops(work, what, size.files)
    return result


@row("create 4k files", "per s", bar=0.25, stretch=0.35)
def meta_create(directory, size):
    return with_files(directory, size, "create")


@row("rename", "per s", bar=0.20, stretch=0.30)
def meta_rename(directory, size):
    return with_files(directory, size, "rename")


@row("open and read, warm", "per s", bar=0.20, stretch=0.30)
def meta_read(directory, size):
    return with_files(directory, size, "read", warm=True)


@row("stat of files not seen before", "per s")
def meta_stat(directory, size):
    work = os.path.join(directory, "fio", "stat")
    try:
        if not os.path.exists(f"{work}/file-{size.stat_files - 1}"):  # made once per target
            wipe(work)
            os.mkdir(work)
            fsops(work, "create", size.stat_files)
        drop_caches()
        return fsops(work, "stat", size.stat_files)
    except AssertionError:  # as many as the passthrough may not have open: it must not stay full
        wipe(work)
        drop_caches()
        raise


# --- databases -----------------------------------------------------------------------------------

class Fresh:
    """An engine that lives for one measurement, or, with keep, for all of them on a target."""
    kept = {}

    def __init__(self, cls, directory, keep=False, prepare=None, **attributes):
        self._args = (cls, directory, keep, prepare, attributes)

    def __enter__(self):
        cls, directory, keep, prepare, attributes = self._args
        key = (cls, directory)
        self.is_kept = keep
        if keep and key in self.kept:
            self.engine = self.kept[key]
            if not self.engine.pid():  # a measurement was broken off while it was stopped
                self.engine.start()
            return self.engine
        sub = type(cls.__name__, (cls,), {"user": USER, **attributes})
        aux = os.path.join(os.environ["KEYSTEAD_BENCH_TOOLS"], f"aux-{next(numbers)}-{cls.name}")
        self.engine = sub(os.path.join(directory, "db"), aux)
        wipe(self.engine.root)
        try:
            self.engine.init()
            self.engine.start()
            if prepare:
                prepare(self.engine)
        except BaseException:
            self.engine.kill_whatever_is_left()
            raise
        if keep:
            self.kept[key] = self.engine
        return self.engine

    def __exit__(self, *_):
        if not self.is_kept:
            self.engine.kill()
            wipe(self.engine.root)

    @classmethod
    def stop_all(cls):
        for engine in cls.kept.values():
            engine.stop()
        cls.kept.clear()


def postgres(directory, size):
    def prepare(engine):
        engine.query("alter system set shared_buffers = '256MB'")
        engine.query("alter system set max_wal_size = '4GB'")
        engine.query("alter system set checkpoint_timeout = '1h'")
        engine.stop()
        engine.start()
        engine.pgbench("-i", "-q", "-s", str(size.scale), timeout=900)
        engine.query("vacuum analyze")
    return Fresh(Postgres, directory, keep=True, prepare=prepare)


def tps(engine, size, *options):
    out = engine.pgbench("-T", str(size.seconds), "-j", "2", "-n", *options).stdout
    return float(out.split("tps = ")[1].split()[0])


@row("pgbench TPC-B, 4 clients", "tps", bar=0.65, stretch=0.85)
def pg_tpcb(directory, size):
    with postgres(directory, size) as engine:
        engine.query("checkpoint")
        os.sync()
        return tps(engine, size, "-c", "4")


@row("pgbench read-only, hot", "tps", bar=0.95, stretch=1.00)
def pg_hot(directory, size):
    with postgres(directory, size) as engine:
        engine.query("checkpoint")
        engine.query("select sum(abalance) from pgbench_accounts")
        return tps(engine, size, "-c", "4", "-S")


@row("pgbench read-only, cold", "tps", bar=0.75, stretch=0.85)
def pg_cold(directory, size):
    with postgres(directory, size) as engine:
        engine.stop()
        drop_caches()
        engine.start()
        return tps(engine, size, "-c", "4", "-S")


def redis_set(directory, size, appendfsync, clients, requests):
    with Fresh(Redis, directory, appendfsync=appendfsync) as engine:
        out = proc.run(["redis-benchmark", "-p", str(engine.port), "-t", "set", "-c",
                        str(clients), "-n", str(requests), "-r", "100000", "-d", "100", "--csv"],
                       timeout=600).stdout
    return float(out.strip().splitlines()[-1].split(",")[1].strip('"'))


@row("Redis appendfsync always, 50 clients", "per s", bar=0.75, stretch=1.00)
def redis_always_50(directory, size):
    return redis_set(directory, size, "always", 50, size.redis_requests * 2)


@row("Redis appendfsync always, 1 client", "per s", bar=0.70, stretch=0.90)
def redis_always_1(directory, size):
    return redis_set(directory, size, "always", 1, size.redis_requests // 2)


@row("Redis everysec, 50 clients", "per s", bar=0.95, stretch=1.00)
def redis_everysec(directory, size):
    return redis_set(directory, size, "everysec", 50, size.redis_requests * 5)


@row("Redis BGSAVE", "s", is_time=True, bar=1.60, stretch=1.30)
def redis_bgsave(directory, size):
    with Fresh(Redis, directory, persistence="rdb") as engine, engine.client() as c:
        c.call("DEBUG", "POPULATE", size.populate, "key", 1000)
        os.sync()
        start = time.monotonic()
        c.call("BGSAVE")
        proc.wait_until(lambda: "rdb_bgsave_in_progress:0" in c.call("INFO", "persistence"),
                        "BGSAVE ends", 300)
        assert "rdb_last_bgsave_status:ok" in c.call("INFO", "persistence")
        return time.monotonic() - start


def sqlite(directory, size, what, amount):
    work = os.path.join(directory, "db", "sqlite")
    wipe(work)
    os.makedirs(work)
    try:
        return float(proc.run(["/usr/bin/python3", "-I", SQLITE, what, work, str(amount)],
                              timeout=600).stdout)
    finally:
        wipe(work)


@row("SQLite WAL, synchronous FULL", "commits/s", bar=0.45, stretch=0.80)
def sqlite_full(directory, size):
    return sqlite(directory, size, "full", size.seconds)


@row("SQLite WAL, synchronous NORMAL", "commits/s", bar=0.75, stretch=0.90)
def sqlite_normal(directory, size):
    return sqlite(directory, size, "normal", size.seconds)


@row("SQLite bulk insert", "s", is_time=True, bar=1.10, stretch=1.00)
def sqlite_bulk(directory, size):
    return sqlite(directory, size, "bulk", size.sqlite_rows)


@row("SQLite 20k updates in one transaction", "s", is_time=True, bar=1.20, stretch=1.00)
def sqlite_update(directory, size):
    return sqlite(directory, size, "update", size.sqlite_rows)


def clickhouse(directory, size):
    def prepare(engine):
        engine.query("CREATE TABLE numbers (n UInt64, a UInt32, s String) ENGINE = MergeTree "
                     "ORDER BY n")
        engine.query(FILL.format(table="numbers", rows=size.clickhouse_rows), timeout=900)
    return Fresh(ClickHouse, directory, keep=True, prepare=prepare)


FILL = ("INSERT INTO {table} SELECT number, cityHash64(number) % 1000000, "
        "hex(cityHash64(number)) FROM system.numbers LIMIT {rows}")
SCAN = "SELECT sum(n), max(a), uniq(s) FROM numbers"


@row("ClickHouse insert", "rows/s", bar=0.85, stretch=0.95)
def clickhouse_insert(directory, size):
    with clickhouse(directory, size) as engine:
        engine.query("DROP TABLE IF EXISTS fresh")
        engine.query("CREATE TABLE fresh (n UInt64, a UInt32, s String) ENGINE = MergeTree "
                     "ORDER BY n")
        start = time.monotonic()
        engine.query(FILL.format(table="fresh", rows=size.clickhouse_rows), timeout=900)
        elapsed = time.monotonic() - start
        engine.query("DROP TABLE fresh")
        return size.clickhouse_rows / elapsed


def scan(engine):
    start = time.monotonic()
    engine.query(SCAN, timeout=300)
    return time.monotonic() - start


@row("ClickHouse scan, cold", "s", is_time=True, bar=1.50, stretch=1.30)
def clickhouse_cold(directory, size):
    with clickhouse(directory, size) as engine:
        drop_caches()
        return scan(engine)


@row("ClickHouse scan, warm", "s", is_time=True, bar=1.05, stretch=1.00)
def clickhouse_warm(directory, size):
    with clickhouse(directory, size) as engine:
        scan(engine)
        return scan(engine)


def machine():
    """One line about where this was measured."""
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")),
                     "?")
    release = os.uname().release
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    debian = subprocess.run(["sh", "-c", ". /etc/os-release && echo $PRETTY_NAME"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return f"{os.cpu_count()} x {model}, {memory} GiB, Linux {release}, {debian}"


def disk(directory):
    """A few words about the file system that everything is measured on; which need not be ext4."""
    device = os.stat(directory).st_dev
    name = os.path.basename(os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
    try:
        with open(f"/sys/fs/ext4/{name}/journal_task", encoding="ascii") as f:
            return "ext4 without a journal" if "none" in f.read() else "ext4 with a journal"
    except FileNotFoundError:
        return "not on ext4"
