# SPDX-License-Identifier: Apache-2.0
"""How the demo talks: steps with a line of explanation, commands as they are run, a table at the end."""
import os
import shlex
import sys
import textwrap
import time

BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"
WIDTH = 96


def paint(text, colour):
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    return text if plain else f"{colour}{text}{PLAIN}"


class Story:
    def __init__(self):
        self.began = time.monotonic()
        self.steps = []  # (title, seconds, verdict, what was measured)
        self._number = 0

    def step(self, title, explanation):
        """Use as a context: `with story.step(...) as s: ... s.check(ok, "what")`."""
        self._number += 1
        print(f"\n{paint(f'{self._number}. {title}', BOLD)}")
        for line in textwrap.wrap(explanation, WIDTH - 3):
            print(f"   {line}")
        sys.stdout.flush()
        return Step(self, f"{self._number}. {title}")

    def command(self, argv):
        text = shlex.join(["keystead", *map(str, argv)])
        print(paint(f"   $ {text}", DIM), flush=True)

    def shell(self, script):
        for line in script.splitlines():
            print(paint(f"   $ {line}" if line == script.splitlines()[0] else f"   {line}", DIM))
        sys.stdout.flush()

    def said(self, text):
        for line in text.splitlines():
            print(f"   {line}", flush=True)

    def table(self):
        """Prints the table; the number of failed steps."""
        print(f"\n{paint('What was shown', BOLD)}")
        for title, seconds, failures, facts in self.steps:
            verdict = paint("FAILED", RED) if failures else paint("ok", GREEN) + "    "
            print(f"  {title:<48} {seconds:6.1f} s  {verdict}  {'; '.join(failures or facts)}")
        failed = sum(1 for step in self.steps if step[2])
        print(f"  {'together':<48} {time.monotonic() - self.began:6.1f} s  "
              f"{len(self.steps) - failed} of {len(self.steps)} steps ok", flush=True)
        return failed


class Step:
    def __init__(self, story, title):
        self._story, self._title = story, title
        self._failures, self._facts = [], []

    def __enter__(self):
        self._began = time.monotonic()
        return self

    def fact(self, text):
        """Something measured, for the reader and for the table."""
        print(f"   {text}", flush=True)
        self._facts.append(text)

    def check(self, is_ok, text):
        """A verdict: it counts, and a false one makes the demo fail."""
        print(f"   {paint('ok', GREEN) if is_ok else paint('FAILED', RED)}: {text}", flush=True)
        (self._facts if is_ok else self._failures).append(text)

    def __exit__(self, kind, error, _):
        if isinstance(error, Exception):
            self._failures.append(str(error).strip().splitlines()[0])
        self._story.steps.append((self._title, time.monotonic() - self._began, self._failures,
                                  self._facts))
        return False
