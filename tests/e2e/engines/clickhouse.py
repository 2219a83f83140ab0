# SPDX-License-Identifier: Apache-2.0
"""ClickHouse of Debian 12 (18.16) with a configuration of its own: loopback only, own ports.

This version syncs no part it writes, so an acknowledged insert is only in the kernel's hands until it
is written back. After the engine is killed everything acknowledged must be there; after the volume
process is killed (to the data the same as a power cut) what was acknowledged before a sync must.
"""
import os
import signal
import urllib.error
import urllib.request

from harness import proc

from .base import Engine
from .writer import Writer

ROWS_PER_INSERT = 1000

CONFIG = """<?xml version="1.0"?>
<yandex>
    <logger><level>warning</level><log>{log}</log><errorlog>{log}.err</errorlog>
        <size>100M</size><count>1</count></logger>
    <listen_host>127.0.0.1</listen_host>
    <http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
    <max_connections>100</max_connections>
    <mark_cache_size>268435456</mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <path>{data}/</path><tmp_path>{data}/tmp/</tmp_path>
    <user_files_path>{data}/user_files/</user_files_path>
    <format_schema_path>{data}/format_schemas/</format_schema_path>
    <users_config>users.xml</users_config>
    <default_profile>default</default_profile><default_database>default</default_database>
    <timezone>UTC</timezone>
    <merge_tree><max_suspicious_broken_parts>1000</max_suspicious_broken_parts></merge_tree>
</yandex>
"""
USERS = """<?xml version="1.0"?>
<yandex>
    <profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
    <users><default><password></password><networks><ip>127.0.0.1</ip></networks>
        <profile>default</profile><quota>default</quota></default></users>
    <quotas><default></default></quotas>
</yandex>
"""


class ClickHouse(Engine):
    name = "clickhouse"
    user = "clickhouse"
    programs = ("/usr/sbin/clickhouse-server",)
    packages = "clickhouse-server"
    survives_volume_kill = False

    def __init__(self, root, aux):
        super().__init__(root, aux)
        self.http, self.tcp = proc.free_port(), proc.free_port()
        self.conf = os.path.join(aux, "clickhouse")

    def init(self):
        self.make_directories()
        os.makedirs(self.conf)
        with open(os.path.join(self.conf, "config.xml"), "w") as f:
            f.write(CONFIG.format(log=self.log + ".server", http=self.http, tcp=self.tcp,
                                  data=self.data))
        with open(os.path.join(self.conf, "users.xml"), "w") as f:
            f.write(USERS)
        proc.chown_to(self.conf, self.user)

    def start_command(self):
        # --pid-file of a dead server is no obstacle; --daemon detaches.
        return [self.programs[0], "--daemon", f"--pid-file={self.pid_file}",
                f"--config-file={self.conf}/config.xml"]

    def query(self, sql, body=b"", timeout=120):
        url = f"http://127.0.0.1:{self.http}/?query=" + urllib.request.quote(sql)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, data=body, timeout=timeout) as reply:
                return reply.read().decode().strip()
        except urllib.error.HTTPError as e:
            raise RuntimeError(f"{sql[:80]}: {e.read().decode(errors='replace')}") from None

    def is_ready(self):
        try:
            return self.query("SELECT 1") == "1"
        except (OSError, RuntimeError):
            return False

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            proc.wait_gone(pid, 60)

    def _insert(self, block):
        """Rows of one block, so that a lost or doubled insert shows."""
        first = (block - 1) * ROWS_PER_INSERT
        self.query("INSERT INTO ledger (day, n, body) SELECT toDate('2026-01-01') + number % 3, "
                   f"number + {first}, hex(MD5(toString(number + {first}))) "
                   f"FROM system.numbers LIMIT {ROWS_PER_INSERT}")

    def load(self, count):
        self.query("CREATE TABLE IF NOT EXISTS ledger (day Date, n UInt64, body String) "
                   "ENGINE = MergeTree PARTITION BY day ORDER BY n")
        blocks = count // ROWS_PER_INSERT
        for block in range(1, blocks + 1):
            self._insert(block)
        return blocks

    def writer(self):
        first = int(self.query("SELECT intDiv(count(), 1000) FROM ledger")) + 1
        writer = Writer(self._insert, first)
        writer.close = lambda: None
        return writer

    def verify(self, acknowledged):
        count, distinct, wrong = self.query(
            "SELECT count(), uniqExact(n), countIf(body != hex(MD5(toString(n)))) FROM ledger "
            f"WHERE n < {acknowledged * ROWS_PER_INSERT}").split("\t")
        assert (int(count), int(distinct)) == (acknowledged * ROWS_PER_INSERT,) * 2, \
            f"{acknowledged * ROWS_PER_INSERT} rows acknowledged, {count} are there"
        assert int(wrong) == 0

    def fingerprint(self):
        return self.query("SELECT count(), sum(cityHash64(day, n, body)) FROM ledger")
