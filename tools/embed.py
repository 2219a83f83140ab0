#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a C file of a JSON document: embed.py IN.json OUT.c NAME defines `const struct view NAME`, the compact text."""
import json
import sys

source, target, name = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    text = json.dumps(json.load(file), separators=(",", ":"))
lines = [text[i:i + 100] for i in range(0, len(text), 100)]
with open(target, "w", encoding="ascii") as file:
    file.write('/* SPDX-License-Identifier: Apache-2.0 */\n#include "base/view.h"\n\n')
    file.write(f"extern const struct view {name};\n")
    file.write("static const uint8_t text[] =\n    " + "\n    ".join(json.dumps(line) for line in lines) + ";\n")
    file.write(f"const struct view {name} = {{text, sizeof text - 1}};\n")
