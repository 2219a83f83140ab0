#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Rewrites the part of docs/CLI.md that the program itself says: KEYSTEAD=... tests/cli/update_docs.sh
file=$(dirname "$0")/../../docs/CLI.md
mark='<!-- made by: keystead help --format markdown -->'
head=$(sed "/^$mark\$/,\$d" "$file") || exit 1
{
    printf '%s\n\n%s\n' "$head" "$mark"
    "${KEYSTEAD:?names the executable}" help --format markdown
} >"$file.new" && mv "$file.new" "$file"
