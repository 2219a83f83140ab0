# SPDX-License-Identifier: Apache-2.0
"""The rounds that are done, in a file that is replaced after every row: a run that was interrupted goes on from it."""
import json
import os

import leftovers


class Rounds:
    """options is what makes rounds comparable: two runs with other options, or of another program, have none in common."""

    def __init__(self, path, options):
        self.path = path
        self.options = options
        self.figures = {}
        self.too_slow = set()  # (row, target): took too long once and is not tried again
        self.loads = []  # of the machine, at the start of each run
        self.top = None  # where the run works

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as f:
            kept = json.load(f)
        self = cls(path, kept["options"])
        self.figures, self.loads, self.top = kept["figures"], kept["loads"], kept["top"]
        self.too_slow = {tuple(pair) for pair in kept["too_slow"]}
        return self

    def save(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump({"options": self.options, "figures": self.figures, "loads": self.loads, "top": self.top,
                       "too_slow": sorted(self.too_slow)}, f, indent=1)
        os.replace(self.path + ".new", self.path)

    def is_done(self, number, row):
        """Whether round number (from 0) of a row is there, which it is for all targets or for none."""
        return any(len(values) > number for values in self.figures.get(row, {}).values())

    def add(self, row, values):
        """values: {target: figure} of one round of a row."""
        for target, value in values.items():
            self.figures.setdefault(row, {}).setdefault(target, []).append(value)
        self.save()

    def clear_up(self, prefix):
        """What a run that was killed has left: its processes, mounts and files."""
        top = self.top
        if not top or not os.path.basename(top).startswith(prefix) or not os.path.isdir(top):
            return
        leftovers.end(top)
        leftovers.remove_contents(top)
        os.rmdir(top)
