# SPDX-License-Identifier: Apache-2.0
"""Goal: an engine of each template is initialised, started, asked by its stock client, started again when it is killed, stopped with all of its
processes, and has its data after a lock of its volume; one that was left running is found again, one that was cut off while it was initialised starts
over; and its password stands in no argument, environment or log.

Goes through engine_driver, a small program around src/node/engine.h.
"""
import glob
import json
import os
import shutil
import signal
import subprocess

import pytest

from harness import proc
from harness.keystead import ROOT, Keystead

ENGINES = os.path.join(ROOT, "engines")
SECONDS = 60
OWNER = 1900000000  # a user of whom the host knows nothing


def driver_path():
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(Keystead.find()))))
    return os.path.join(build, "tests/e2e/engine_driver")


class Driver:
    """One engine on one directory."""

    def __init__(self, work, name, mountpoint, plain=False, templates=ENGINES, port=None, owner=OWNER):
        self.mountpoint, self.name, self.orphans = mountpoint, name, ()
        self.port = port or proc.free_port()
        self.state = os.path.join(work, f"state-{name}")
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.log = open(os.path.join(work, f"driver-{name}.log"), "a")
        argv = [driver_path(), templates, name, mountpoint, self.state, "127.0.0.1", str(self.port), str(owner)]
        self._process = subprocess.Popen(argv + ["plain"] * plain, text=True, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self.log)
        self.first = self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        assert line, "engine_driver ended"
        return json.loads(line)

    def ask(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def phase(self):
        return self.ask("status")["phase"]

    def wait(self, phase, timeout=SECONDS):
        seen = {}

        def reached():
            self._reap()
            seen.update(self.ask("status"))
            return seen["phase"] == phase
        try:
            proc.wait_until(reached, f"{self.name} is {phase}", timeout)
        except proc.Timeout as e:
            raise proc.Timeout(f"{e}: {seen}") from None
        return seen

    def _reap(self):
        """Nobody else waits for what an earlier driver left: this process adopts orphans, and a dead PostgreSQL that is not
        waited for passes for a living one."""
        for pid in self.orphans:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass

    def start(self):
        self.ask("start")
        return self.wait("RUNNING")

    def stop(self, ms=30000):
        status = self.ask(f"stop {ms}")
        assert status["phase"] == "IDLE" and status["message"] == ""
        assert not self.members()

    def end(self, how="end"):
        self.ask(how)
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()
        self.log.close()

    def password(self):
        return self.ask("password").get("password")

    def members(self):
        """Processes whose directory is the engine's."""
        found = []
        for link in glob.glob("/proc/[0-9]*/cwd"):
            try:
                if os.readlink(link).startswith(self.mountpoint + "/engine/"):
                    found.append(int(link.split("/")[2]))
            except OSError:
                pass
        return found

    def main_pid(self):
        with open(os.path.join(self.state, "running.json")) as f:
            return json.load(f)["pid"]


class Redis:
    name, missing = "redis", staticmethod(lambda: not shutil.which("redis-server"))

    def __init__(self, driver):
        self.driver = driver

    def cli(self, *args):
        url = self.driver.ask("status")["connection"]
        done = proc.run(["redis-cli", "-u", url, "--no-auth-warning", *args], timeout=60,
                        env={**os.environ, "REDISCLI_AUTH": self.driver.password()})
        return done.stdout.strip()

    def write(self, n):
        # the template syncs every second; the test counts on each write that was acknowledged
        assert self.cli("CONFIG", "SET", "appendfsync", "always") == "OK"
        assert self.cli("SET", f"key:{n}", f"value {n}") == "OK"

    def read(self, n):
        return self.cli("GET", f"key:{n}") == f"value {n}"


class Postgresql:
    name, missing = "postgresql", staticmethod(lambda: not glob.glob("/usr/lib/postgresql/*/bin/initdb"))

    def __init__(self, driver):
        self.driver = driver

    def cli(self, sql):
        url = self.driver.ask("status")["connection"]
        done = proc.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url], timeout=60,
                        env={**os.environ, "PGPASSWORD": self.driver.password()})
        return done.stdout.strip()

    def write(self, n):
        self.cli("create table if not exists t (n int primary key)")
        self.cli(f"insert into t values ({n})")

    def read(self, n):
        return self.cli(f"select n from t where n = {n}") == str(n)


class Clickhouse:
    name, missing = "clickhouse", staticmethod(lambda: not (shutil.which("clickhouse-server") and
                                                            shutil.which("clickhouse-client")))

    def __init__(self, driver):
        self.driver = driver

    def cli(self, sql):
        host, port = self.driver.ask("status")["connection"].split("@")[1].split("/")[0].split(":")
        conf = os.path.join(self.driver.state, "client.xml")
        with open(conf, "w") as f:
            f.write(f"<config><password>{self.driver.password()}</password></config>")
        done = proc.run(["clickhouse-client", f"--config-file={conf}", "--host", host, "--port", port,
                         "--user", "default", "--query", sql], timeout=60)
        return done.stdout.strip()

    def write(self, n):
        self.cli("create table if not exists t (n UInt32) engine = MergeTree order by n")
        self.cli(f"insert into t values ({n})")
        os.sync()

    def read(self, n):
        return self.cli(f"select n from t where n = {n}") == str(n)


KINDS = [Redis, Postgresql, Clickhouse]


def make(kind, work, mountpoint, **kwargs):
    if kind.missing():
        pytest.skip(f"{kind.name} is not installed here")
    driver = Driver(work, kind.name, mountpoint, **kwargs)
    assert driver.first.get("phase") == "IDLE", driver.first
    return kind(driver), driver


@pytest.fixture
def plain(work):
    path = os.path.join(work, "plain")
    os.mkdir(path, 0o755)
    return path


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_on_a_directory__started_killed_stopped__has_its_data(kind, work, plain):
    engine, driver = make(kind, work, plain, plain=True)
    driver.start()
    engine.write(1)
    pid = driver.main_pid()
    assert {os.stat(f"/proc/{member}").st_uid for member in driver.members()} == {OWNER}
    os.kill(pid, signal.SIGKILL)
    proc.wait_until(lambda: driver.ask("status")["restarts"] == 1, "its end was noticed")
    status = driver.wait("RUNNING")
    assert status["restarts"] == 1 and driver.main_pid() != pid
    assert engine.read(1)
    engine.write(2)
    driver.stop()
    driver.start()
    assert engine.read(1) and engine.read(2)
    driver.stop()
    driver.end()


def owners_below(path):
    return {os.lstat(os.path.join(top, name)).st_uid for top, dirs, files in os.walk(path) for name in dirs + files}


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_home_of_another_user__changes_hands_before_the_start(kind, work, plain):
    """As a node of before leaves it: engines ran as accounts of the host."""
    if kind.missing():
        pytest.skip(f"{kind.name} is not installed here")
    templates = os.path.join(work, "templates")
    os.mkdir(templates)
    with open(os.path.join(ENGINES, f"{kind.name}.yml")) as old, open(os.path.join(templates, f"{kind.name}.yml"), "w") as f:
        f.write("\n".join(line for line in old.read().splitlines() if not line.startswith("users:")) + "\nusers: [nobody]\n")
    if kind is Postgresql:
        with open(os.path.join(templates, "postgresql.yml"), "a") as f:
            f.write("shared_user: true\n")
    engine, driver = make(kind, work, plain, plain=True, templates=templates, owner=0)
    driver.start()
    engine.write(1)
    home = os.path.join(plain, "engine/home-1")
    theirs = os.path.join(home, "not-ours")
    open(theirs, "w").close()
    driver.stop()
    driver.end()
    assert owners_below(home) == {65534, 0}
    engine, driver = make(kind, work, plain, plain=True)
    driver.start()
    assert engine.read(1)
    driver.stop()
    assert os.lstat(theirs).st_uid == 0, "only what was the former user's changes hands"
    os.unlink(theirs)
    assert owners_below(home) == {OWNER} and os.stat(home).st_uid == OWNER
    driver.end()


def test_left_running_as_another_user__is_taken_over_and_changes_hands_with_its_next_start(work, plain):
    if Redis.missing():
        pytest.skip("redis is not installed here")
    templates = os.path.join(work, "templates")
    os.mkdir(templates)
    with open(os.path.join(ENGINES, "redis.yml")) as old, open(os.path.join(templates, "redis.yml"), "w") as f:
        f.write(old.read() + "\nusers: [nobody]\nshared_user: true\n")
    engine, driver = make(Redis, work, plain, plain=True, templates=templates, owner=0)
    driver.start()
    engine.write(1)
    pid = driver.main_pid()
    driver.end("leave")
    again = Driver(work, "redis", plain, plain=True, port=driver.port)
    assert again.wait("RUNNING")["restarts"] == 0 and again.main_pid() == pid and os.stat(f"/proc/{pid}").st_uid == 65534
    again.stop()
    again.start()
    assert Redis(again).read(1) and os.stat(f"/proc/{again.main_pid()}").st_uid == OWNER
    again.stop()
    again.end()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_on_a_volume__locked_under_it__runs_again_with_its_data(kind, work, mounted):
    engine, driver = make(kind, work, mounted.mountpoint)
    driver.start()
    engine.write(1)
    mounted.call("lock", "--yes")
    mounted.wait_state("LOCKED")
    assert driver.password()
    driver.stop(5000)
    mounted.call("unlock")
    mounted.wait_state("OPEN")
    driver.start()
    assert engine.read(1)
    engine.write(2)
    driver.stop()
    mounted.unmount()
    # nothing is ever written where the volume would be
    driver.ask("start")
    assert "no volume is mounted" in driver.wait("FAILED")["message"]
    assert os.listdir(mounted.mountpoint) == []
    driver.stop()
    mounted.mount()
    driver.start()
    assert engine.read(1) and engine.read(2)
    driver.stop()
    driver.end()
    mounted.unmount()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_password__in_no_argument_environment_or_log(kind, work, plain):
    engine, driver = make(kind, work, plain, plain=True)
    driver.start()
    engine.write(1)
    password = driver.password()
    assert len(password) == 32
    for pid in driver.members() + [driver._process.pid]:
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{what}", "rb") as f:
                    text = f.read()
            except OSError:
                continue  # a worker that has ended meanwhile
            assert password.encode() not in text
    for path in glob.glob(os.path.join(plain, "engine/log/*")) + glob.glob(driver.state + "/*.json"):
        with open(path, errors="replace") as f:
            assert password not in f.read()
    driver.stop()
    driver.end()


def test_left_running__is_taken_over_and_stopped(work, plain):
    engine, driver = make(Postgresql, work, plain, plain=True)
    driver.start()
    engine.write(1)
    pid = driver.main_pid()
    driver.end("leave")
    again = Driver(work, "postgresql", plain, plain=True, port=driver.port)
    assert again.wait("RUNNING")["restarts"] == 0
    assert again.main_pid() == pid
    assert Postgresql(again).read(1)
    again.stop()
    assert proc.stat_fields(pid) is None or proc.stat_fields(pid)[0] == "Z"
    again.end()


def test_node_killed_and_note_lost__strays_end_before_a_new_start(work, plain):
    engine, driver = make(Postgresql, work, plain, plain=True)
    driver.start()
    engine.write(1)
    driver._process.kill()
    driver._process.wait()
    os.unlink(os.path.join(driver.state, "running.json"))
    orphans = driver.members()
    assert orphans
    again = Driver(work, "postgresql", plain, plain=True, port=driver.port)
    again.orphans = orphans
    again.start()
    assert Postgresql(again).read(1)
    again.stop()
    again.end()


def test_stop_at_once__nothing_is_left(work, plain):
    engine, driver = make(Postgresql, work, plain, plain=True)
    driver.start()
    engine.write(1)
    assert len(driver.members()) > 3
    driver.stop(0)
    driver.start()
    assert engine.read(1)
    driver.stop()
    driver.end()


TEMPLATE = """
name: fake
hint: none
users: [nobody]
programs: {sh: [/bin/sh]}
initialise:
  - program: sh
    arguments: [-c, "echo begun > begun; while ! test -e %(gate)s; do sleep 0.05; done; echo done > done"]
start:
  program: sh
  arguments: [-c, "test -e done || exit 9; sleep 1000 & setsid sleep 1000 & exec sleep 1000"]
stop:
  - {signal: USR1, seconds: 1}
"""


@pytest.fixture
def fake(work, plain):
    templates = os.path.join(work, "templates")
    os.mkdir(templates)

    def write(text):
        with open(os.path.join(templates, "fake.yml"), "w") as f:
            f.write(text)

    write(TEMPLATE % {"gate": os.path.join(work, "gate")})
    return templates, write


def test_cut_off_while_initialising__starts_over_in_a_new_home(work, plain, fake):
    templates, _ = fake
    home = os.path.join(plain, "engine/home-%d/begun")
    driver = Driver(work, "fake", plain, plain=True, templates=templates)
    driver.ask("start")
    proc.wait_until(lambda: os.path.exists(home % 1), "the first attempt has begun")
    driver.stop(0)
    driver.ask("start")
    proc.wait_until(lambda: os.path.exists(home % 2), "the second attempt has begun")
    assert driver.phase() == "STARTING"
    driver._process.kill()
    driver._process.wait()
    assert not os.path.exists(os.path.join(plain, "engine/initialised"))
    open(os.path.join(work, "gate"), "w").close()
    again = Driver(work, "fake", plain, plain=True, templates=templates, port=driver.port)
    again.ask("start")
    proc.wait_until(lambda: os.path.exists(os.path.join(plain, "engine/initialised")), "it is initialised")
    with open(os.path.join(plain, "engine/initialised")) as f:
        assert json.load(f)["home"] == "home-3"
    again.stop(0)
    again.end()


def test_cannot_start__says_why_and_tries_again_with_pauses(work, plain, fake):
    templates, write = fake
    write("name: fake\nhint: none\nusers: [nobody]\nprograms: {sh: [/bin/sh]}\n"
          "start: {program: sh, arguments: [-c, 'echo the reason; exit 3']}\n")
    driver = Driver(work, "fake", plain, plain=True, templates=templates)
    driver.ask("start")
    message = driver.wait("FAILED")["message"]
    assert "exit code 3" in message and "the reason" in message
    proc.wait_until(lambda: driver.ask("status")["restarts"] >= 2, "it tries again")
    driver.stop(0)
    driver.end()


def test_another_engine_on_the_same_volume__is_refused(work, plain):
    engine, driver = make(Redis, work, plain, plain=True)
    driver.start()
    driver.stop()
    driver.end()
    other = Driver(work, "sqlite", plain, plain=True)
    other.ask("start")
    assert "redis lives on this volume" in other.wait("FAILED")["message"]
    other.stop(0)
    other.end()


def test_sqlite_and_none__run_without_a_process(work, mounted):
    driver = Driver(work, "sqlite", mounted.mountpoint)
    if "error" in driver.first:
        pytest.skip(driver.first["message"])
    data = driver.start()["connection"].removeprefix("file:")
    user = "nobody" if os.stat(data).st_uid == 65534 else "keystead-engine"
    database = proc.as_user(user, ["sqlite3", data + "/main.db"])
    proc.run([*database, "create table t (n); insert into t values (7)"])
    driver.stop()
    driver.start()
    assert proc.run([*database, "select n from t"]).stdout.strip() == "7"
    driver.stop()
    driver.end()
    none = Driver(work, "none", mounted.mountpoint)
    assert none.start()["connection"] == ""
    none.stop()
    none.end()


@pytest.mark.parametrize("name", ["valkey", "cockroachdb"])
def test_template_of_what_is_not_in_debian(name, work, plain):
    driver = Driver(work, name, plain, plain=True)
    if "error" in driver.first:
        pytest.skip(driver.first["message"])
    driver.start()
    driver.stop()
    driver.end()
