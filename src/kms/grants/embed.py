#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py FILE... - the templates TYPE.FORMAT as a C table, on standard output."""
import os
import sys

print("/* Made by embed.py. */\n#include \"kms/grants.h\"\n\nconst struct grants_template grants_templates[] = {")
for path in sys.argv[1:]:
    kind, form = os.path.basename(path).split(".")
    print(f'    {{"{kind.upper()}", "{form}",')
    with open(path, encoding="ascii") as lines:
        for line in lines:
            text = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
            print(f'     "{text}\\n"')
    print("    },")
print("    {0, 0, 0},\n};")
