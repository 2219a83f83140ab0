# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL of Debian, with page checksums; a ledger whose acknowledged commits are recorded outside."""
import glob
import os
import signal
import socket
import struct
import subprocess

from harness import proc

from .base import Engine
from .writer import Writer


def program(name):
    """The program of the newest PostgreSQL that is installed."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else f"/usr/lib/postgresql/15/bin/{name}"


class Session:
    """One psql that stays: a statement in, its one line of answer out."""

    def __init__(self, argv):
        self._psql = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def ask(self, statement):
        self._psql.stdin.write(statement + ";\n")
        self._psql.stdin.flush()
        line = self._psql.stdout.readline()
        if not line:
            raise ConnectionError("psql ended")
        return line.rstrip("\n")

    def close(self):
        self._psql.kill()
        self._psql.wait()


class Postgres(Engine):
    name = "postgres"
    user = "postgres"
    programs = tuple(map(program, ("initdb", "pg_ctl", "pgbench", "psql")))
    packages = "postgresql"
    scale = 2
    initdb_options = ()
    settings = {"shared_buffers": "64MB", "max_wal_size": "256MB"}

    def __init__(self, root, aux):
        super().__init__(root, aux)
        self.port = proc.free_port()

    def _client(self, name, *args):
        return proc.as_user(self.user, [program(name), "-h", self.aux, "-p", str(self.port),
                                         "-U", self.user, *args])

    def init(self):
        self.make_directories()
        proc.run(proc.as_user(self.user, [
            program("initdb"), "-D", self.data, "-k", "-A", "trust", "--locale=C.UTF-8",
            "-E", "UTF8", *self.initdb_options]))
        settings = {
            "port": self.port, "listen_addresses": "''",
            "unix_socket_directories": f"'{self.aux}'", "external_pid_file": f"'{self.pid_file}'",
            "log_checkpoints": "off", **self.settings,
        }
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.writelines(f"{k} = {v}\n" for k, v in settings.items())

    def start_command(self):
        # pg_ctl can be quicker than its own status file after a crash: -W, the probe waits.
        return [program("pg_ctl"), "-D", self.data, "-l", self.log, "-W", "start"]

    def stop_signal(self):
        return signal.SIGQUIT  # "immediate": no shutdown checkpoint, recovery at the next start

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGINT)  # "fast"
            proc.wait_gone(pid, 60)

    def is_ready(self):
        """Whether it begins a session; asked without a client program, of which a start would need several."""
        hello = struct.pack("!i", 3 << 16) + f"user\0{self.user}\0database\0postgres\0\0".encode()
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(f"{self.aux}/.s.PGSQL.{self.port}")
                s.sendall(struct.pack("!i", 4 + len(hello)) + hello)
                while self._message(s) != b"Z":
                    pass
                s.sendall(b"X\0\0\0\4")
                return True
        except OSError:
            return False

    @staticmethod
    def _message(s):
        """The type of the next message; Z: ready for a query."""
        head = s.recv(5, socket.MSG_WAITALL)
        if len(head) < 5:
            raise ConnectionError("the session ended")
        s.recv(struct.unpack("!i", head[1:])[0] - 4, socket.MSG_WAITALL)
        return head[:1]

    def query(self, *statements, timeout=120):
        """The rows of one or several statements, each a transaction; a line for each row."""
        commands = [word for sql in statements for word in ("-c", sql)]
        return proc.run(self._client("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *commands,
                                     "postgres"), timeout=timeout).stdout.strip()

    def pgbench(self, *args, timeout=300, check=True):
        return proc.run(self._client("pgbench", *args, "postgres"), timeout=timeout, check=check)

    def pgbench_background(self, *args):
        """A running pgbench; the caller waits for it or kills it."""
        return subprocess.Popen(self._client("pgbench", *args, "postgres"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def load(self, count):
        self.pgbench("-i", "-q", "-s", str(self.scale))
        self.query("create table if not exists ledger (n bigint primary key, body text not null)")
        self.query("insert into ledger select n, md5(n::text) from "
                   f"generate_series(1, {count}) n")
        return count

    def writer(self):
        session = Session(self._client("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "postgres"))
        first = int(session.ask("select coalesce(max(n), 0) from ledger")) + 1

        def write(n):
            got = session.ask(f"insert into ledger values ({n}, md5('{n}')) returning n")
            assert got == str(n), got

        writer = Writer(write, first)
        writer.close = session.close
        return writer

    def verify(self, acknowledged):
        counts, sums, *_ = self.query(
            f"select count(*) filter (where n <= {acknowledged}), "
            "count(*) filter (where body <> md5(n::text)) from ledger",
            "select (select sum(abalance) from pgbench_accounts), "
            "(select sum(tbalance) from pgbench_tellers), "
            "(select sum(bbalance) from pgbench_branches), "
            "(select coalesce(sum(delta), 0) from pgbench_history)",
            "create extension if not exists amcheck",
            "select bt_index_check(c.oid, true) from pg_index i join pg_class c on "
            "c.oid = i.indexrelid join pg_am a on a.oid = c.relam "
            "where a.amname = 'btree' and c.relpersistence = 'p'").split("\n")
        count, wrong = counts.split("|")
        assert int(count) == acknowledged, f"{acknowledged} rows acknowledged, {count} are there"
        assert int(wrong) == 0
        assert len(set(sums.split("|"))) == 1, f"pgbench's four sums differ: {sums}"

    def fingerprint(self):
        tables = self.query("select quote_ident(relname) from pg_class where relkind = 'r' and "
                            "relnamespace = 'public'::regnamespace order by 1").split()
        return " ".join(self.query(
            f"select '{t}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from {t} t")
            for t in tables)
