# SPDX-License-Identifier: Apache-2.0
"""A backing directory as a power loss would have left it at any time of a recorded run.

`recorded_program` is the program, writing down what it does to the backing directory; `PowerLoss` takes the
directory as it was before, the record, and writes out states (tests/e2e/powerloss.c says how).
"""
import os
import random
import subprocess

from .keystead import Keystead


def _built(name):
    build = os.path.dirname(os.path.dirname(os.path.dirname(Keystead.find())))
    return os.path.join(build, "tests/e2e", name)


def missing():
    """What is not built; empty when all is there."""
    absent = [p for p in map(_built, ("keystead_recorded", "powerloss")) if not os.access(p, os.X_OK)]
    return f"{absent[0]} is not there" if absent else ""


def recorded_program():
    return Keystead(_built("keystead_recorded"))


def memory_directory(otherwise):
    """A place for states that nobody has to write to a disk; another one where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else otherwise


class State:
    """One power loss: when, and what survived of what was pending."""

    def __init__(self, time, pages, metadata, kept, how):
        self.time, self.pages, self.metadata, self.kept, self.how = time, pages, metadata, kept, how

    def __str__(self):
        how = {0: "none", 1: "all"}.get(self.how, f"a half by seed {self.how}")
        return (f"time {self.time}, {self.kept} of {self.metadata} metadata operations, "
                f"{how} of {self.pages} pages")


class PowerLoss:
    def __init__(self, directory):
        """Takes in directory as it is now."""
        self._process = subprocess.Popen([_built("powerloss"), directory], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)
        self._answer()

    def _answer(self):
        words = self._process.stdout.readline().split()
        assert words and words[0] == "ok", "powerloss ended; see its message"
        return [int(w) for w in words[1:]]

    def _ask(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        return self._answer()

    def load(self, record):
        """Make the changes of a record; how many."""
        return self._ask("load", record)[0]

    def time(self, record_bytes):
        return self._ask("time", record_bytes)[0]

    def times(self):
        """(the last time, the times right after each sync)."""
        end, *syncs = self._ask("times")
        return end, syncs

    def states(self, first, count, seed):
        """count states from the time `first` on: half of them right around a sync, the rest at any time."""
        draw = random.Random(seed)
        end, syncs = self.times()
        syncs = [t for t in syncs if t >= first] or [end]
        for _ in range(count):
            time = draw.choice([draw.randint(first, end), draw.choice(syncs) + draw.randint(-1, 1)])
            time = min(max(time, first), end)
            pages, metadata = self._ask("pending", time)
            kept = draw.choice([0, metadata, draw.randint(0, metadata)])
            yield State(time, pages, metadata, kept, draw.choice([0, 1, draw.randint(2, 1 << 30)]))

    def rebuild(self, state, directory):
        """Write a state to an empty directory."""
        self._ask("rebuild", state.time, state.kept, state.how, directory)

    def close(self):
        self._process.stdin.close()
        self._process.wait(60)
