# SPDX-License-Identifier: Apache-2.0
# What the golden tests share: source "$HERE/lib.sh".

# k ARG...: runs keystead, with its two outputs one after the other, and its exit code when it is not 0.
k() {
    echo "\$ keystead $*"
    "$KEYSTEAD" "$@" 2>err.txt
    local code=$?
    cat err.txt
    [ $code -eq 0 ] || echo "= exit $code"
}

# q ARG...: runs keystead for its effect only; a failure ends the test.
q() {
    "$KEYSTEAD" "$@" >/dev/null || {
        echo "setup failed: keystead $*"
        exit 1
    }
}

# store DIR KEYFILE NAME...: a key store with keys in it.
store() {
    local dir=$1 file=$2 name
    shift 2
    q kms init --store "$dir" --key-file "$file"
    for name in "$@"; do
        q kms key create "$name" --store "$dir" --key-file "$file"
    done
}

commands() {
    "$KEYSTEAD" help | sed -n '/^Commands:/,/^$/s/^  \([a-z -]*[a-z]\)  .*/\1/p'
}

# explain GROUP...: the help of every command whose name begins so.
explain() {
    local group name
    for group in "$@"; do
        while read -r name; do
            k help $name
        done < <(commands | grep -E "^$group( |\$)")
    done
}

# wait_for COMMAND...: until it succeeds; ends the test after 60 s.
wait_for() {
    local end=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || {
            echo "waited in vain for: $*"
            exit 1
        }
        sleep 0.05
    done
}

# is_in STATE PATH: whether the volume is in that state now.
is_in() {
    "$KEYSTEAD" volume status "$2" | grep -q ": $1"
}
