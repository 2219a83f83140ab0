#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole path in about two minutes: a database in three regions, under keys that their owner can take away.

"keystead serve --dev" runs a control plane, a node for each region and a key service that speaks AWS's protocols. A cluster of
PostgreSQL is made and driven with the commands of CockroachDB Cloud's guide to customer-managed keys, curl and jq as they stand
there: enable in three regions with three keys in two accounts, status, rotate one region, take one region's key away at
the key service, revoke everything by API, verify the receipts, restore, and compare every byte.

    make demo             runs it and leaves nothing behind
    KEEP=1 make demo      leaves it running and says how to look around and how to clean up

Works below ${TMPDIR:-/var/tmp}, needs root. Ends with a table and fails if any verdict does.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]

from engines import Postgres  # noqa: E402
from engines.postgres import program  # noqa: E402
from harness import memory, proc  # noqa: E402
from harness.keystead import Keystead  # noqa: E402
from story import Story  # noqa: E402

REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
CUSTOMER, OTHER_CUSTOMER = "111122223333", "222233334444"
ROWS = 200_000
PGBENCH_SECONDS = 8

CREATE = """curl --silent --request POST --url $URL/api/v1/clusters --header @curl-header --header 'content-type: application/json' \\
  --data '{"name":"orders-eu-us","provider":"AWS","plan":"ADVANCED","spec":{"labels":{"keystead-engine":"postgresql"},
           "dedicated":{"region_nodes":{"us-east-1":1,"us-west-2":1,"eu-west-1":1},
           "hardware":{"storage_gib":15,"machine_spec":{"num_virtual_cpus":4}}}}}' | jq '{id, state, account_id}'"""
ORGANISATION = """curl --silent --request GET --url $URL/api/v1/organization --header @curl-header \\
  | jq -c '{id, trust: .cockroach_cloud_service_principals.aws.user_arn}'"""
ACCOUNT = "curl --silent --request GET --url $URL/api/v1/clusters/$CLUSTER_ID --header @curl-header | jq -r .account_id"
SHOW = "curl --silent --request GET --url $URL/api/v1/clusters/$CLUSTER_ID --header @curl-header | jq -r .state"
SEND = """curl --silent --request {verb} --url $URL/api/v1/clusters/$CLUSTER_ID/cmek --header @curl-header \\
  --header 'content-type: application/json' --data '@{file}' | jq -c '{{status, regions: [.region_infos[] | {{region, status}}]}}'"""
ACT = """curl --silent --request PATCH --url $URL/api/v1/clusters/$CLUSTER_ID/cmek --header @curl-header \\
  --header 'content-type: application/json' --data '{{"action":"{action}"}}' | jq -r .status"""
STATUS = """curl --silent --request GET --url $URL/api/v1/clusters/$CLUSTER_ID/cmek --header @curl-header \\
  | jq -c '.region_infos[] | {region, status, message: .key_infos[0].user_message}'"""


class Shell:
    """bash in one directory; what is shown to the reader is what is run."""

    def __init__(self, story, directory):
        self.story, self.dir, self.env = story, directory, dict(os.environ)

    def quiet(self, script):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.dir, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{script}: exit code {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout.strip()

    def run(self, script):
        self.story.shell(script)
        said = self.quiet(script)
        self.story.said(said)
        return said


class Database:
    """The engine of one region, as its user would reach it."""

    def __init__(self, connection, pass_file):
        self.region, self.uri = connection["region"], connection["uri"]
        self.env = {**os.environ, "PGPASSFILE": pass_file, "PGCONNECT_TIMEOUT": "3"}

    def query(self, sql, check=True):
        done = subprocess.run([program("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", self.uri, "-c", sql], env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.region}: {done.stderr}")
        return done.stdout.strip() if done.returncode == 0 else None

    def answers(self):
        return self.query("select 1", check=False) == "1"

    def checksum(self):
        return self.query("select count(*) || ' ' || sum(hashtextextended(t::text, 0)) from orders t")


class Demo:
    def __init__(self, story, top):
        self.story, self.top = story, top
        self.cli = Keystead()
        self.dir = os.path.join(top, "dev")
        self.log = os.path.join(top, "fleet.log")
        self.shell = Shell(story, self.dir)
        self.listen = [f"127.0.0.1:{proc.free_port()}" for _ in range(2)]
        self.secret = f"the-secret-{secrets.token_hex(8)}"
        self.process, self.databases, self.volumes = None, [], []
        self.account = self.organisation = None  # of the provider, and of us there: as the API says

    def keystead(self, *args, **kwargs):
        return self.cli.run(*args, env=self.shell.env, cwd=self.dir, **kwargs)

    # -- the machine

    def start(self):
        with self.story.step("A fleet on this machine", "One command runs what in earnest are several hosts: a control plane, a node for each "
                             "of three regions, and a key service in AWS's protocols in which the customer has an account.") as s:
            argv = ["serve", "--dev", "--dir", self.dir, "--regions", ",".join(REGIONS), "--engine", "postgresql", "--engines",
                    os.path.join(ROOT, "engines"), "--listen", self.listen[0], "--listen-nodes", self.listen[1]]
            self.story.command(argv)
            with open(self.log, "wb") as out:
                self.process = subprocess.Popen([self.cli.binary, *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            proc.wait_until(lambda: "Ctrl-C ends it" in self.said() or self.process.poll() is not None, "the fleet is up", 90)
            if self.process.poll() is not None:
                raise AssertionError(self.said())
            self.shell.env.update(URL=f"http://{self.listen[0]}", HOME=self.top, KEYSTEAD_RUN_DIR=os.path.join(self.dir, "run"),
                                  PATH=f"{os.path.dirname(self.cli.binary)}:{os.environ['PATH']}")
            self.keystead("profile", "set", "dev", "--server", self.shell.env["URL"], "--key-file", "control/admin.key")
            s.check(True, "control plane, key service and three nodes are at work")

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def kms(self, *args, is_shown=True):
        if is_shown:
            self.story.command(["kms", *args, "--dir", "kms"])
        return self.keystead("kms", *args, "--dir", "kms")

    def spec(self, region, key, account=CUSTOMER):
        """A key of the customer's, and a role in which the provider may use it for this organisation."""
        where = ("--region", region, "--account", account)
        self.kms("key", "create", key, *where, is_shown=False)
        made = json.loads(self.kms("role", "create", key, "--of-key", key, *where, "--trust", self.account, "--external-id", self.organisation,
                                   "-o", "json", is_shown=False).stdout)
        return {"region": region, "key_spec": {"type": "AWS_KMS", "uri": made["key"], "auth_principal": made["role"]}}

    def write(self, name, specs):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            json.dump({"region_specs": specs}, f, indent=2)

    def make_keys(self):
        with self.story.step("Keys of the customer's own", f"A key for each region, two of them in account {CUSTOMER}, the European one in "
                             f"account {OTHER_CUSTOMER}; and roles that let the provider use them, for this organisation only. Whom to trust "
                             "is asked of the API.") as s:
            self.account = self.shell.run(ACCOUNT)
            self.organisation = json.loads(self.shell.run(ORGANISATION))["id"]
            self.kms("account", "create", OTHER_CUSTOMER)
            specs = [self.spec("us-east-1", "east"), self.spec("us-west-2", "west"), self.spec("eu-west-1", "europe", OTHER_CUSTOMER)]
            self.write("cmek_config.json", specs)
            for spec in specs:
                s.fact(spec["key_spec"]["uri"])

    # -- the cluster

    def wait_state(self, state):
        proc.wait_until(lambda: self.shell.quiet(SHOW) == state, f"the cluster is {state}", 90, 0.3)

    def regions(self):
        return {r["region"]: r["status"] for r in map(json.loads, self.shell.quiet(STATUS).splitlines())}

    def wait_regions(self, wanted):
        proc.wait_until(lambda: self.regions() == wanted, f"the regions are {wanted}", 90, 0.3)

    def all(self, status):
        return dict.fromkeys(REGIONS, status)

    def create(self):
        with self.story.step("A cluster, by the guide's own commands", "The API is that of CockroachDB Cloud; only the key stands in a file. The nodes "
                             "start PostgreSQL, unmodified, on encrypted volumes.") as s:
            self.shell.env["CLUSTER_ID"] = json.loads(self.shell.run(CREATE))["id"]
            self.wait_state("CREATED")
            self.keystead("cluster", "set", "orders-eu-us", "--lease", "10s", "--probe", "2s", "--grace", "60s")
            self.connect()
            s.fact(self.databases[0].query("select version()").split(",")[0] + " in three regions")

    def connect(self):
        """Passwords go from a file of ours to psql's."""
        path, pass_file = os.path.join(self.top, "connections"), os.path.join(self.top, "pgpass")
        for stale in (path, pass_file):
            if os.path.exists(stale):
                os.unlink(stale)

        def is_complete():
            if os.path.exists(path):
                os.unlink(path)
            self.keystead("cluster", "connection", "orders-eu-us", "--secret-file", path)
            with open(path, encoding="utf-8") as f:
                found = json.load(f)
            return found if len(found) == len(REGIONS) and all(c.get("port") and c.get("uri") for c in found) else None
        found = proc.wait_until(is_complete, "every database says how to reach it", 90, 0.5)
        with open(pass_file, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            for c in found:
                f.write(f"{c['host']}:{c['port']}:*:*:{c.get('password') or ''}\n")
        self.databases = [Database(c, pass_file) for c in sorted(found, key=lambda c: REGIONS.index(c["region"]))]
        for database in self.databases:
            proc.wait_until(database.answers, f"the database of {database.region} answers", 90, 0.3)

    def load(self):
        with self.story.step("Data", f"{ROWS:,} rows in each region, and a secret to look for.") as s:
            for database in self.databases:
                database.query("create table orders as select g as id, md5(g::text) as item, now() as at from "
                               f"generate_series(1, {ROWS}) g")
                database.query(f"create table secret as select '{self.secret}'::text as body")
                database.query("checkpoint")
            s.check(all(d.checksum().startswith(f"{ROWS} ") for d in self.databases), f"{ROWS:,} rows in {len(REGIONS)} databases")

    def enable(self):
        with self.story.step("Under the customer's keys", "First each key is really used on a node of its region; then all volumes move under it while the "
                             "database runs, and what is there already is encrypted anew.") as s:
            self.shell.run(SEND.format(verb="POST", file="cmek_config.json"))
            self.wait_regions(self.all("ENABLED"))
            self.shell.run(STATUS)
            s.check(all(d.answers() for d in self.databases), "ENABLED in three regions, and the databases answer")

    def find_volumes(self):
        """Of each region: where its volume is mounted, where its ciphertext lies, and the process that has its keys."""
        self.volumes = []
        for region in REGIONS:
            node = os.path.join(self.dir, f"node-{region}")
            for ident in os.listdir(os.path.join(node, "volumes")):
                volume = type("Volume", (), {})()
                volume.region, volume.mountpoint = region, os.path.join(node, "mounts", ident)
                volume.backing = os.path.join(node, "volumes", ident, "backing")
                volume.pid = json.loads(self.keystead("volume", "status", volume.mountpoint, "-o", "json").stdout)["volume"]["pid"]
                self.volumes.append(volume)

    def search_plaintext(self):
        with self.story.step("What lies on the disk", "A known secret is searched for in the mounts, and in the directories of "
                             "ciphertext together with names of PostgreSQL's files.") as s:
            self.find_volumes()
            os.sync()
            for volume in self.volumes:
                seen = memory.contains(volume.mountpoint, self.secret.encode())
                found = memory.contains(volume.backing, self.secret.encode(), b"PG_VERSION", b"pg_wal")
                s.check(bool(seen) and not found, f"{volume.region}: in {len(seen)} files of the mount, in none of the ciphertext")

    def rotate(self):
        with self.story.step("Rotation of one region, under load", f"While pgbench runs for {PGBENCH_SECONDS} s in us-west-2, that region moves to another "
                             "key. Both keys open until the new one does everywhere.") as s:
            database = self.databases[1]
            pgbench = program("pgbench")
            subprocess.run([pgbench, "-i", "-q", "-s", "1", database.uri], env=database.env, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60)
            load = subprocess.Popen([pgbench, "-n", "-c", "2", "-T", str(PGBENCH_SECONDS), database.uri], env=database.env,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.write("new_key.json", [self.spec("us-west-2", "west-2027")])
            self.shell.run(SEND.format(verb="PUT", file="new_key.json"))
            self.wait_regions(self.all("ENABLED"))
            was_running = load.poll() is None
            s.check(load.wait(60) == 0, "pgbench ran " + ("through it" if was_running else "beside it") + " without an error")
            history = json.loads(self.keystead("cmek", "history", "orders-eu-us", "-o", "json").stdout)["keys"]
            for key in history:
                if key["region"] == "us-west-2" and key.get("retired_at"):
                    s.fact(f"the key before may be deleted: {'yes' if key['is_safe_to_delete'] else 'no'}, {key['because']}")

    def take_one_key(self):
        with self.story.step("One region's key is taken away", f"At the key service, by its owner in account {OTHER_CUSTOMER}. Nobody tells us: the next probe "
                             "is refused, and only that region locks.") as s:
            europe = self.databases[2]
            self.kms("key", "disable", "europe", "--region", "eu-west-1", "--account", OTHER_CUSTOMER)
            began = time.monotonic()
            proc.wait_until(lambda: not europe.answers(), "the database of eu-west-1 is gone", 60, 0.1)
            s.check(True, f"eu-west-1 is shut {time.monotonic() - began:.1f} s later")
            self.wait_regions({**self.all("ENABLED"), "eu-west-1": "REVOKED"})
            self.shell.run(STATUS)
            s.check(all(d.answers() for d in self.databases[:2]), "the other two regions go on")
            self.kms("key", "enable", "europe", "--region", "eu-west-1", "--account", OTHER_CUSTOMER)
            began = time.monotonic()
            self.wait_regions(self.all("ENABLED"))
            proc.wait_until(europe.answers, "the database of eu-west-1 is back", 90, 0.2)
            s.check(True, f"given back, it answers again after {time.monotonic() - began:.1f} s, by itself")

    # -- everything

    def remember(self):
        with self.story.step("Before everything is revoked", "Checksums; and the memory of the processes that serve the volumes is searched for "
                             "keys, which must be there now.") as s:
            self.checksums = [d.checksum() for d in self.databases]
            with open(os.path.join(self.dir, "kms", "endpoint"), encoding="utf-8") as f:
                os.environ["AWS_ENDPOINT_URL"] = f.read().strip()
            os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.path.join(self.dir, "kms", f"{self.account}.keystead.credentials")
            self.find_volumes()
            self.keys = [memory.keys_of(v, *memory.backing_files(v)) for v in self.volumes]
            for volume, keys in zip(self.volumes, self.keys):
                found, searched = memory.scan(volume.pid, keys)
                s.check({"store", "data"} <= {name.split()[0] for name in found},
                        f"{volume.region}: {len(found)} of {len(keys)} keys in {searched >> 20} MiB")

    def revoke(self):
        with self.story.step("Revoked by API", "Databases are stopped, volumes lock, keys are wiped, on every node.") as s:
            began = time.monotonic()
            self.shell.run(ACT.format(action="REVOKE"))
            self.wait_regions(self.all("REVOKED"))
            s.check(not any(d.answers() for d in self.databases), f"REVOKED after {time.monotonic() - began:.1f} s, no database answers")
            for volume, keys in zip(self.volumes, self.keys):
                found, searched = memory.scan(volume.pid, keys)
                s.check(not found, f"{volume.region}: 0 of {len(keys)} keys in {searched >> 20} MiB" if not found else f"found: {sorted(found)}")

    def verify_receipts(self):
        with self.story.step("The receipts", "Each node signed when each volume was locked. Anybody can check that, with nothing but the fleet's "
                             "certificate.") as s:
            self.keystead("receipt", "save", "orders-eu-us", "receipts")
            held = 0
            for name in sorted(n for n in os.listdir(os.path.join(self.dir, "receipts"))):
                argv = ["receipt", "verify", f"receipts/{name}", "--ca-file", "control/authority.pem"]
                if held == 0:
                    self.story.command(argv)
                self.keystead(*argv)
                held += 1
            s.check(held >= len(REGIONS), f"{held} receipts hold")

    def restore(self):
        with self.story.step("Restored, by the customer himself", "Where a ticket to support would be needed elsewhere.") as s:
            began = time.monotonic()
            self.shell.run(ACT.format(action="RESTORE"))
            self.wait_regions(self.all("ENABLED"))
            self.connect()
            s.fact(f"ENABLED and answering after {time.monotonic() - began:.1f} s")

    def compare(self):
        with self.story.step("Nothing is lost", "The checksums again, and every block of every volume is read and authenticated.") as s:
            for database, before in zip(self.databases, self.checksums):
                s.check(database.checksum() == before, f"{database.region}: equal")
            for volume in self.volumes:
                done = self.keystead("volume", "verify", volume.mountpoint, check=False)
                s.check(done.returncode == 0, f"{volume.region}: sound")

    def run(self):
        self.start()
        self.create()
        self.make_keys()
        self.load()
        self.enable()
        self.search_plaintext()
        self.rotate()
        self.take_one_key()
        self.remember()
        self.revoke()
        self.verify_receipts()
        self.restore()
        self.compare()

    def show_logs(self):
        logs = os.path.join(self.dir, "logs")
        for path in [self.log, *(os.path.join(logs, n) for n in (os.listdir(logs) if os.path.isdir(logs) else ()))]:
            print(f"--- {path}\n{proc.tail(path, 1500)}", file=sys.stderr)

    def clean_script(self):
        """For KEEP=1: what ends it all."""
        path = os.path.join(self.top, "clean-up")
        with open(path, "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\n# Ends the demo and removes everything it made.\n"
                    f"kill -INT {self.process.pid} 2>/dev/null\n"
                    f"while kill -0 {self.process.pid} 2>/dev/null; do sleep 0.2; done\nrm -rf {self.top}\n")
        os.chmod(path, 0o755)
        return path

    def how_to_look_around(self):
        print(f"""
It is still running. Look around:
  cd {self.dir}
  export HOME={self.top} KEYSTEAD_RUN_DIR={self.dir}/run PATH={os.path.dirname(self.cli.binary)}:$PATH
  keystead cmek status orders-eu-us
  keystead cluster show orders-eu-us
  keystead operation list orders-eu-us
  keystead cmek revoke orders-eu-us --region us-east-1 --wait
  PGPASSFILE={self.top}/pgpass psql '{self.databases[0].uri if self.databases else ""}'
End it:
  {self.clean_script()}""")


def check_machine():
    if os.geteuid() != 0:
        sys.exit("the demo needs root: it mounts volumes and starts databases as their own users")
    reasons = [Postgres.missing()]
    reasons += [f"{p} is not there (make build)" for p in (Keystead.find(), memory.keydump()) if not os.access(p, os.X_OK)]
    reasons += [f"{p} is not installed (make deps)" for p in ("curl", "jq") if not shutil.which(p)]
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
    story, failed = Story(), 1
    demo = Demo(story, top)
    try:
        demo.run()
        failed = story.table()
    except Exception as e:  # noqa: BLE001 - the demo ends here whatever went wrong
        story.table()
        print(f"\nThe demo ended early: {e}", file=sys.stderr)
        demo.show_logs()
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
