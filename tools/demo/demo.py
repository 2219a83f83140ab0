#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole path in about two minutes: unmodified databases on volumes whose key can be taken away.

PostgreSQL and Redis from Debian run on two encrypted volumes, under a customer's key in a key service that speaks AWS's
protocols. Keys are rotated under load, the customer disables the key, nothing can be read any more, it is enabled again,
and not a byte is lost.

    make demo             runs it and leaves nothing behind
    KEEP=1 make demo      leaves it running and says how to look around and how to clean up

Works below ${TMPDIR:-/var/tmp}, needs root. Ends with a table and fails if any verdict does.
"""
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]

from engines import Postgres, Redis  # noqa: E402
from harness import memory, proc  # noqa: E402
from harness.key_service import CUSTOMER, ORGANISATION, PROVIDER, ROLE, KeyService  # noqa: E402
from harness.keystead import Keystead, Volume  # noqa: E402
from harness.witness import Witness  # noqa: E402
from story import Story  # noqa: E402

REDIS_KEYS = 100_000
PGBENCH_SCALE = 10
PGBENCH_SECONDS = 12
KEY = "orders"


class Told(Keystead):
    """The keystead command, and each use of it shown to the reader."""

    def __init__(self, story):
        super().__init__()
        self._story = story
        self.is_quiet = False

    def run(self, *args, **kwargs):
        if not self.is_quiet and "status" not in args:
            self._story.command(args)
        return super().run(*args, **kwargs)


class Demo:
    def __init__(self, story, top):
        self.story, self.top = story, top
        self.cli = Told(story)
        self.service = None
        self.volumes = [self._volume("postgres"), self._volume("redis")]
        self.postgres, self.redis = (cls(v.mountpoint, os.path.join(top, f"{cls.name}-aux"))
                                     for cls, v in zip((Postgres, Redis), self.volumes))
        self.engines = [self.postgres, self.redis]
        self.postgres.scale = PGBENCH_SCALE
        self.secret = f"the-secret-{secrets.token_hex(8)}"
        self.witnesses = []

    def _volume(self, name):
        return Volume(self.cli, os.path.join(self.top, f"{name}-backing"),
                      os.path.join(self.top, f"{name}-mnt"), os.path.join(self.top, f"{name}.log"))

    def make_key(self):
        with self.story.step("A key of the customer's own", f"A key service with two accounts, in AWS's protocols: the "
                             f"customer's ({CUSTOMER}) owns the key and a role that may use it; the provider's "
                             f"({PROVIDER}) may assume that role under the ExternalId {ORGANISATION}, and runs the "
                             "databases. In earnest it is another host, or AWS itself.") as s:
            self.service = KeyService(self.cli, self.top)
            self.service.create(KEY)
            self.service.let_in(KEY)
            s.check(self.service.arn(KEY).startswith("arn:aws:kms:"), self.service.arn(KEY))
            s.fact(f"role {ROLE}, for {PROVIDER}")

    def make_volumes(self):
        with self.story.step("Two volumes under that key", "Each is a directory of ciphertext and a "
                             "mount. When a volume locks or opens it starts a program: here one that "
                             "stops and one that starts its database.") as s:
            for volume, engine in zip(self.volumes, self.engines):
                os.makedirs(engine.aux)
                os.makedirs(volume.mountpoint)
                on_lock, on_unlock = engine.hooks(self.top)
                volume.create([self.service.spec(KEY)], "--organisation", ORGANISATION)
                volume.mount("--on-lock", on_lock, "--on-unlock", on_unlock)
            s.check(all(v.state() == "OPEN" for v in self.volumes), "both volumes are open")

    def start_engines(self):
        with self.story.step("PostgreSQL and Redis, unmodified", "The packages of Debian, started "
                             "as their own users with nothing but their data directory changed.") as s:
            for engine in self.engines:
                engine.init()
                engine.start()
            s.fact(self.postgres.query("show server_version").join(["PostgreSQL ", ""]))
            with self.redis.client() as c:
                version = c.call("INFO", "server").split("redis_version:")[1].split()[0]
            s.fact(f"Redis {version}")

    def load(self):
        with self.story.step("Data", f"pgbench at scale {PGBENCH_SCALE}, {REDIS_KEYS:,} Redis keys with "
                             "an append-only file synced at every write.") as s:
            self.postgres.load(1000)
            self.postgres.query(f"create table secret as select '{self.secret}'::text as body")
            self.postgres.query("checkpoint")
            self.redis.load(REDIS_KEYS)
            with self.redis.client() as c:
                c.call("SET", "secret", self.secret)
            s.fact(self.postgres.query("select pg_size_pretty(pg_database_size('postgres'))")
                   + " in PostgreSQL")
            s.check(self.redis.fingerprint().startswith(f"{REDIS_KEYS + 1} "),
                    f"{REDIS_KEYS + 1:,} keys in Redis")

    def search_plaintext(self):
        with self.story.step("What lies on the disk", "A known secret is searched for, and the names "
                             "of the databases' files, in the mounts and in the directories of "
                             "ciphertext.") as s:
            os.sync()
            secret = self.secret.encode()
            for volume in self.volumes:
                seen = memory.contains(volume.mountpoint, secret)
                found = memory.contains(volume.backing, secret, b"PG_VERSION", b"appendonly")
                name = os.path.basename(volume.backing)
                s.check(bool(seen), f"{os.path.basename(volume.mountpoint)}: in {len(seen)} files")
                s.check(not found, f"{name}: nowhere")

    def rotate_under_load(self):
        with self.story.step("Rotation under load", f"While pgbench runs for {PGBENCH_SECONDS} s the "
                             "customer's key gets a new version, the volumes are wrapped under it, and "
                             "new data keys seal all writes from then on.") as s:
            load = self.postgres.pgbench_background("-c", "4", "-T", str(PGBENCH_SECONDS))
            self.service.key("rotate", KEY)
            slowest = 0.0
            for level in ("cmek", "data", "store", "data"):
                for volume in self.volumes:
                    began = time.monotonic()
                    volume.call("rotate", "--level", level)
                    slowest = max(slowest, time.monotonic() - began)
            was_running = load.poll() is None
            s.check(load.wait(120) == 0 and was_running, "pgbench ran through it without an error")
            s.fact(f"the slowest rotation took {slowest * 1000:.0f} ms")
            generations = self.volumes[0].status()["generations"]
            s.check(len(generations) == 3, "data keys: " + ", ".join(
                f"generation {g['generation']} {g['state'].lower()}" for g in generations))

    def remember(self):
        with self.story.step("Before the key goes", "Checksums over all tables and keys; and the volume "
                             "processes' memory is searched for keys, which must be there now: those of "
                             "the volume, and those of files and generations that are in use.") as s:
            self.redis.verify(REDIS_KEYS)
            self.prints = [e.fingerprint() for e in self.engines]
            s.fact("checksums taken")
            self.keys = [memory.keys_of(v, *memory.backing_files(v)) for v in self.volumes]
            for volume, keys in zip(self.volumes, self.keys):
                found, searched = memory.scan(volume.pid, keys)
                kinds = {name.split()[0] for name in found}
                s.check({"store", "data"} <= kinds, f"{len(found)} of {len(keys)} keys found in "
                        f"{searched >> 20} MiB of memory")
            for volume, engine in zip(self.volumes, self.engines):
                path = os.path.join(engine.root, "report")
                with open(path, "wb") as f:
                    f.write(os.urandom(64 * 4096))
                self.witnesses.append(Witness(volume.mountpoint, path))

    def disable(self):
        with self.story.step("The key is taken away", "The customer disables it in his account. The "
                             "volumes notice with their next probe (every 15 s at most), refuse "
                             "everything, stop the databases and wipe their keys.") as s:
            pids = [e.pid() for e in self.engines]
            self.service.key("disable", KEY)
            began = time.monotonic()
            for witness in self.witnesses:
                witness.wait_cut_off(60)
            seconds = time.monotonic() - began
            s.check(seconds <= 60, f"every read fails after {seconds:.1f} s")
            s.fact("open file, mapped page and new open give "
                   + ", ".join(self.witnesses[0].errors[w] for w in (
                       "open descriptor, cached page", "memory map", "new open")))
            for pid in pids:
                proc.wait_gone(pid)
            s.check(not any(e.pid() for e in self.engines), "both databases are stopped")
            for volume in self.volumes:
                volume.wait_state("LOCKED")
            receipts = [v.status()["receipt"] for v in self.volumes]
            s.fact("locked within " + " and ".join(f"{r['duration_ms']} ms" for r in receipts))

    def search_memory(self):
        with self.story.step("No key is left", "The same search of the volume processes' memory.") as s:
            for volume, keys in zip(self.volumes, self.keys):
                found, searched = memory.scan(volume.pid, keys)
                s.check(not found, f"0 of {len(keys)} keys in {searched >> 20} MiB"
                        if not found else f"found: {sorted(found)}")
            for witness in self.witnesses:
                witness.close()

    def enable(self):
        with self.story.step("The key is given back", "Nobody does anything but enable the key: the "
                             "volumes open with their next probe and start their databases.") as s:
            self.service.key("enable", KEY)
            began = time.monotonic()
            for volume in self.volumes:
                volume.wait_state("OPEN")
            opened = time.monotonic() - began
            for engine in self.engines:
                engine.wait_ready(60)
            s.fact(f"open after {opened:.1f} s, databases answer after "
                   f"{time.monotonic() - began:.1f} s")

    def compare(self):
        with self.story.step("Nothing is lost", "The checksums again, and every block of both volumes is "
                             "read and authenticated.") as s:
            for engine, before in zip(self.engines, self.prints):
                s.check(engine.fingerprint() == before, f"{engine.name}: equal")
            for volume in self.volumes:
                done = volume.call("verify", check=False)
                s.check(done.returncode == 0, f"{os.path.basename(volume.backing)}: sound")

    def run(self):
        self.make_key()
        self.make_volumes()
        self.start_engines()
        self.load()
        self.search_plaintext()
        self.rotate_under_load()
        self.remember()
        self.disable()
        self.search_memory()
        self.enable()
        self.compare()

    def clean_script(self):
        """For KEEP=1: what ends it all."""
        path = os.path.join(self.top, "clean-up")
        with open(path, "w") as f:
            f.write("#!/bin/sh\n# Ends the demo and removes everything it made.\n"
                    f"export KEYSTEAD_RUN_DIR={os.environ['KEYSTEAD_RUN_DIR']}\n")
            for engine in self.engines:
                f.write(f"kill -9 $(head -n 1 {engine.pid_file}) 2>/dev/null\n")
            f.write("sleep 1\n")
            f.write(f"kill {self.service.process.pid} 2>/dev/null\n")
            for volume in self.volumes:
                f.write(f"{self.cli.binary} volume unmount {volume.mountpoint}\n"
                        f"umount -l {volume.mountpoint} 2>/dev/null\n")
            f.write(f"rm -rf {self.top}\n")
        os.chmod(path, 0o755)
        return path

    def how_to_look_around(self):
        run_dir = f"KEYSTEAD_RUN_DIR={os.environ['KEYSTEAD_RUN_DIR']}"
        service = f"--dir {self.service.dir}"
        print(f"""
It is still running. Look around:
  export {run_dir}
  {self.cli.binary} volume status {self.volumes[0].mountpoint}
  psql -h {self.postgres.aux} -p {self.postgres.port} -U postgres
  redis-cli -p {self.redis.port}
  {self.cli.binary} kms key disable {KEY} {service}
  {self.cli.binary} kms key enable {KEY} {service}
  tail {self.service.dir}/audit.log
End it:
  {self.clean_script()}""")


def check_machine():
    if os.geteuid() != 0:
        sys.exit("the demo needs root: it mounts volumes and starts databases as their own users")
    reasons = [cls.missing() for cls in (Postgres, Redis)]
    reasons += [f"{p} is not there (make build)" for p in (Keystead.find(), memory.keydump())
                if not os.access(p, os.X_OK)]
    for reason in filter(None, reasons):
        sys.exit(f"the demo cannot run: {reason}")


def clean(top):
    """Nothing stays: no process, no mount, no file; also after Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for pid in proc.descendants():
        proc.kill_tree(pid)
    for mount in proc.mounts_below(top):
        proc.unmount(mount)
    shutil.rmtree(top, ignore_errors=True)


def main():
    check_machine()
    is_kept = os.environ.get("KEEP", "") not in ("", "0")
    proc.adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    top = tempfile.mkdtemp(prefix="keystead-demo-", dir=os.environ.get("TMPDIR") or "/var/tmp")
    os.chmod(top, 0o755)
    os.environ["KEYSTEAD_RUN_DIR"] = os.path.join(top, "run")
    os.mkdir(os.environ["KEYSTEAD_RUN_DIR"], 0o700)
    story, failed = Story(), 1
    demo = Demo(story, top)
    try:
        demo.run()
        failed = story.table()
    except Exception as e:  # noqa: BLE001 - the demo ends here whatever went wrong
        story.table()
        print(f"\nThe demo ended early: {e}", file=sys.stderr)
        for volume in demo.volumes:
            print(f"--- {volume.log}\n{proc.tail(volume.log, 2000)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted; cleaning up.", file=sys.stderr)
        failed = 130
    finally:
        if is_kept and failed != 130:
            demo.how_to_look_around()
        else:
            clean(top)
    sys.exit(min(failed, 255) and (failed if failed == 130 else 1))


if __name__ == "__main__":
    main()
