# SPDX-License-Identifier: Apache-2.0
# Goal: man page, docs/CLI.md and completion come from the tables and are usable.
. "$HERE/lib.sh"
echo "# docs/CLI.md holds what the program says; if not: tests/cli/update_docs.sh"
"$KEYSTEAD" help --format markdown >now.md
sed '1,/^<!-- made by: keystead help --format markdown -->$/d' "$HERE/../../docs/CLI.md" >there.md
diff there.md now.md && echo same
echo "# every command and option stands in the man page"
"$KEYSTEAD" help --format man >keystead.1
sed 's/\\-/-/g' keystead.1 >plain.1
commands | while read -r name; do grep -qF "SS keystead $name" plain.1 || echo "missing: $name"; done
if command -v groff >/dev/null; then groff -man -ww -z keystead.1; fi
echo "# completion"
"$KEYSTEAD" completion bash >complete.bash
bash -n complete.bash && . ./complete.bash
complete_line() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _keystead
    echo "${*}| ${COMPREPLY[*]}"
}
touch fileone
complete_line keystead ""
complete_line keystead vol
complete_line keystead volume ""
complete_line keystead volume un
complete_line keystead kms ""
complete_line keystead kms key ""
complete_line keystead kms key list --
complete_line keystead volume mount --o
complete_line keystead volume rotate x --level ""
complete_line keystead volume rotate x --level c
complete_line keystead volume status -o j
complete_line keystead volume status file
complete_line keystead kms init --store file
complete_line keystead help volume ro
complete_line keystead completion ""
