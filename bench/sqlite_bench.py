# SPDX-License-Identifier: Apache-2.0
"""One measurement of SQLite: sqlite_bench.py full|normal|bulk|update DIRECTORY AMOUNT

full and normal give one-row commits per second over AMOUNT seconds; bulk the seconds for AMOUNT rows in one
transaction, durable; update those for 20 000 scattered updates of a table of AMOUNT rows.
"""
import sqlite3
import sys
import time

BODY = "x" * 100
INSERT = "insert into t (body, k) values (?, ?)"


def connect(directory, synchronous):
    db = sqlite3.connect(f"{directory}/bench.db", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute(f"pragma synchronous = {synchronous}")
    db.execute("create table t (id integer primary key, body text, k integer)")
    db.execute("create index t_k on t (k)")
    return db


def commits(db, seconds):
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        db.execute(INSERT, (BODY, count * 7919 % 100003))
        count += 1
    return count / (time.monotonic() - start)


def bulk(db, rows):
    db.execute("begin")
    db.executemany(INSERT, ((BODY, n * 7919 % 100003) for n in range(rows)))
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")


def update(db, rows):
    db.execute("begin")
    db.executemany("update t set body = ?, k = k + 1 where id = ?",
                   (("y" * 100, n * 7919 % rows + 1) for n in range(20000)))
    db.execute("commit")
    db.execute("pragma wal_checkpoint(truncate)")


def main():
    what, directory, amount = sys.argv[1], sys.argv[2], int(sys.argv[3])
    db = connect(directory, "normal" if what == "normal" else "full")
    if what in ("full", "normal"):
        print(commits(db, amount))
        return
    if what == "update":
        bulk(db, amount)
    start = time.monotonic()
    (bulk if what == "bulk" else update)(db, amount)
    print(time.monotonic() - start)


if __name__ == "__main__":
    main()
