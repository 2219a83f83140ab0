#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the version: the newest tag and what came after it, or a fixed one outside a git checkout.
cd "$(dirname "$0")/.." || exit 1
git describe --tags --always --dirty 2>/dev/null | sed 's/^v//' | grep . || echo 0.1.0
