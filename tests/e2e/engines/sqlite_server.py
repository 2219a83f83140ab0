# SPDX-License-Identifier: Apache-2.0
"""A process around SQLite: one JSON request per line in, one JSON answer per line out.

    sqlite_server.py write|read DATABASE SYNCHRONOUS AUTOCHECKPOINT
"""
import hashlib
import json
import sqlite3
import sys


def body_of(n):
    return hashlib.sha256(str(n).encode()).hexdigest() * (1 + n % 7)


class Server:
    def __init__(self, role, path, synchronous, autocheckpoint):
        uri = f"file:{path}" + ("?mode=ro" if role == "read" else "")
        self.db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
        if role == "write":
            self.db.execute("pragma journal_mode = wal")
            self.db.execute(f"pragma synchronous = {synchronous}")
            self.db.execute(f"pragma wal_autocheckpoint = {autocheckpoint}")
            self.db.execute("create table if not exists ledger (n integer primary key, "
                            "body text not null)")
            self.db.execute("create index if not exists ledger_body on ledger (body)")

    def op_open(self):
        mode = self.db.execute("pragma journal_mode").fetchone()[0]
        return "ok" if mode == "wal" else f"the journal mode is {mode}"

    def op_load(self, count):
        with self.db:
            self.db.execute("begin")
            self.db.executemany("insert into ledger values (?, ?)",
                                ((n, body_of(n)) for n in range(1, count + 1)))
            self.db.execute("commit")
        return count

    def op_insert(self, n):
        self.db.execute("insert into ledger values (?, ?)", (n, body_of(n)))
        return n

    def op_last(self):
        return self.db.execute("select coalesce(max(n), 0) from ledger").fetchone()[0]

    def op_integrity(self):
        return self.db.execute("pragma integrity_check").fetchone()[0]

    def op_check(self, upto):
        rows = self.db.execute("select n, body from ledger where n <= ?", (upto,)).fetchall()
        return [len(rows), sum(1 for n, body in rows if body != body_of(n))]

    def op_fingerprint(self):
        digest = hashlib.sha256()
        for row in self.db.execute("select n, body from ledger order by n"):
            digest.update(repr(row).encode())
        return digest.hexdigest()


def main():
    server = Server(*sys.argv[1:5])
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        try:
            reply = {"result": getattr(server, f"op_{op}")(**request)}
        except sqlite3.Error as e:
            reply = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
