#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh - installs what building, testing and the demo need, on Debian 12.
#
#   tools/deps.sh          install what is missing; quick when nothing is
#   tools/deps.sh --venv   print the path of the Python environment with pytest and stop
#   tools/deps.sh --also PACKAGE...   install these Debian packages, in the same way, and nothing else
#
# Starts no service: packages of database servers would start one, so a policy forbids it while apt
# runs and what was there before is put back afterwards. Services that run already are left alone.
# The Python environment lives outside the source tree, in KEYSTEAD_CACHE
# (default ${XDG_CACHE_HOME:-$HOME/.cache}/keystead).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${KEYSTEAD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/keystead}
venv=$cache/venv
policy=/usr/sbin/policy-rc.d
saved=$policy.before-keystead
tries=3

say() {
    printf 'deps: %s\n' "$*"
}

fail() {
    printf 'deps: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || fail "needs root to install packages: run as root or install sudo"
        sudo "$@"
    fi
}

retry() {
    n=1
    until "$@"; do
        [ "$n" -lt "$tries" ] || return 1
        n=$((n + 1))
        say "that failed; trying again ($n of $tries)"
        sleep 5
    done
}

wanted_packages() {
    sed -e 's/#.*//' "$here/packages.txt"
}

# missing_packages <LIST: those of its lines that are not installed.
missing_packages() {
    while read -r name; do
        [ -n "$name" ] || continue
        case $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$name" ;;
        esac
    done
}

# A run that was killed may have left our policy behind; the saved one is the truth.
policy_restore() {
    if as_root test -e "$saved"; then
        as_root mv -f "$saved" "$policy"
    elif as_root grep -qs keystead "$policy"; then
        as_root rm -f "$policy"
    fi
}

policy_forbid_starts() {
    policy_restore
    if as_root test -e "$policy"; then
        as_root cp -p "$policy" "$saved"
    fi
    printf '#!/bin/sh\n# Put here by keystead tools/deps.sh while apt runs.\nexit 101\n' |
        as_root tee "$policy.new" >/dev/null
    as_root chmod 755 "$policy.new"
    as_root mv -f "$policy.new" "$policy"
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
        -o Acquire::Retries=2 -q "$@"
}

install_packages() {
    command -v apt-get >/dev/null || fail "this is for Debian 12; elsewhere install by hand: $*"
    say "installing: $*"
    trap policy_restore EXIT
    trap 'exit 130' INT TERM HUP
    policy_forbid_starts
    retry apt_get update || say "the package lists could not be refreshed; using those that are here"
    retry apt_get install -y --no-install-recommends "$@" || fail "apt could not install: $*"
    policy_restore
    trap - EXIT INT TERM HUP
    say "no service was started. Debian enables database services for the next boot; if you do not"
    say "want that: systemctl disable redis-server postgresql clickhouse-server"
}

venv_stamp() {
    { /usr/bin/python3 --version && cat "$here/requirements.txt"; } | sha256sum
}

install_venv() {
    say "making the Python environment $venv"
    mkdir -p "$cache"
    rm -rf "$venv.new" "$venv"
    /usr/bin/python3 -m venv "$venv"
    retry "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes \
        -r "$here/requirements.txt" || fail "pip could not install tools/requirements.txt"
    venv_stamp >"$venv/keystead-stamp"
}

if [ "${1:-}" = --venv ]; then
    printf '%s\n' "$venv"
    exit 0
fi

policy_left=$(ls "$saved" 2>/dev/null || true)
[ -z "$policy_left" ] || policy_restore

if [ "${1:-}" = --also ]; then
    shift
    packages=$(printf '%s\n' "$@" | missing_packages)
    # shellcheck disable=SC2086 # one word per package
    [ -z "$packages" ] || install_packages $packages
    exit 0
fi

packages=$(wanted_packages | missing_packages)
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # one word per package
    install_packages $packages
    left=$(wanted_packages | missing_packages)
    [ -z "$left" ] || fail "still missing after the installation: $left"
else
    say "all Debian packages are installed"
fi

if [ "$(venv_stamp)" != "$(cat "$venv/keystead-stamp" 2>/dev/null)" ]; then
    install_venv
else
    say "the Python environment is up to date ($venv)"
fi
