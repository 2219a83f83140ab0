#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - the demo; see demo.py beside it. KEEP=1 leaves everything running.
exec python3 -B "$(dirname "$0")/demo.py" "$@"
