#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# peers.sh - installs key services, clients and encrypting file systems that are not ours, to test and measure against.
#
#   tools/peers.sh            install what is missing; quick when nothing is
#   tools/peers.sh --dir      print where they are and stop
#   tools/peers.sh --python   print the Python interpreter that has pytest and the clients, and stop
#
# Everything lives outside the source tree, in KEYSTEAD_CACHE/peers, but for what is a package of Debian. Each peer is
# optional: one that cannot be installed here leaves the reason in NAME.missing, which the tests print when they skip.
# To add one: a function install_NAME that fills the directory it is given, and its name in the list at the end.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${KEYSTEAD_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/keystead}
peers=$cache/peers
seconds_max=600

case ${1:-} in
--dir)
    printf '%s\n' "$peers"
    exit 0
    ;;
--python)
    printf '%s\n' "$peers/python/bin/python"
    exit 0
    ;;
esac

# pip_install DIR REQUIREMENTS: a Python environment of its own.
pip_install() {
    /usr/bin/python3 -m venv "$1" &&
        "$1/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$here/$2"
}

# moto, botocore, boto3, awscli, cfn-lint, OpenBao, hvac, pytest.
install_python() {
    pip_install "$1" peers-python.txt
}

# An emulator that knows key states, imports and ExternalId. In an environment of its own: it pins what moto needs
# in other versions.
install_localemu() {
    pip_install "$1" peers-localemu.txt
}

# The property-based tester of APIs. In an environment of its own: what it pins is not what moto needs.
install_schemathesis() {
    pip_install "$1" peers-schemathesis.txt
}

# google-cloud-kms and google-auth.
install_google() {
    pip_install "$1" peers-google.txt
}

# npm_install DIR FOLDER: the packages that FOLDER/package-lock.json pins.
npm_install() {
    command -v npm >/dev/null || {
        echo "npm is not installed"
        return 1
    }
    mkdir -p "$1" && cp "$here/../$2/package.json" "$here/../$2/package-lock.json" "$1/" &&
        (cd "$1" && npm ci --loglevel=error --engine-strict --no-audit --no-fund --ignore-scripts)
}

# The JavaScript clients of AWS and Google.
install_npm() {
    npm_install "$1" tests/peers/npm
}

# go_install DIR MODULE@VERSION
go_install() {
    command -v go >/dev/null || {
        echo "Go is not installed"
        return 1
    }
    mkdir -p "$1/bin" &&
        GOBIN=$1/bin GOTOOLCHAIN=local GOFLAGS='' GOPATH=$1/gopath go install -p 2 "$2" &&
        chmod -R u+w "$1/gopath" && rm -rf "$1/gopath"
}

# The AWS emulator that enforces key states and import tokens.
install_local_kms() {
    go_install "$1" github.com/nsmithuk/local-kms/cmd/local-kms@latest
}

install_gcp_kms_emulator() {
    go_install "$1" github.com/blackwell-systems/gcp-kms-emulator/cmd/server-dual@latest
}

# OpenTofu, and a provider that stands in for that of CockroachDB Cloud: the module proxy has neither the real one nor its
# SDK. OpenTofu cannot be had with `go install`, because its go.mod replaces modules. Takes seven minutes of processor time, once.
install_terraform() {
    command -v go >/dev/null || {
        echo "Go is not installed"
        return 1
    }
    mkdir -p "$1/bin" && export GOTOOLCHAIN=local GOFLAGS='' GOPATH="$1/gopath" &&
        (cd "$here/../tests/peers/terraform" &&
            go build -p 2 -trimpath -buildvcs=false -o "$1/bin/terraform-provider-cockroach" .) &&
        tofu=$(cd / && go mod download -json github.com/opentofu/opentofu@v1.12.6 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') &&
        (cd "$tofu" && go build -p 2 -trimpath -buildvcs=false -ldflags '-s -w' -o "$1/bin/tofu" ./cmd/tofu) &&
        chmod -R u+w "$1/gopath" && rm -rf "$1/gopath"
}

# debian_install DIR PACKAGE
debian_install() {
    mkdir -p "$1" && "$here/deps.sh" --also "$2"
}

# Encrypting file systems that `bench/run.py --targets all` measures. gocryptfs, which it measures always, is in packages.txt.
install_securefs() {
    debian_install "$1" securefs
}

install_encfs() {
    debian_install "$1" encfs
}

install_cryfs() {
    debian_install "$1" cryfs
}

# What the installation of a peer depends on: how it is done, the pins, and sources of ours.
stamp() {
    {
        sed -n "/^install_$1()/,/^}/p" "$0"
        cat "$here/peers-$1.txt" "$here/../tests/peers/$1/package-lock.json" "$here/../tests/peers/$1"/*.go \
            "$here/../tests/peers/$1/go.sum" 2>/dev/null
    } | sha256sum
}

# peer NAME: installed in $peers/NAME when this returns, or the reason why not in $peers/NAME.missing.
peer() {
    name=$1 dir=$peers/$1 now=$(stamp "$1")
    if [ "$(cat "$dir/keystead-stamp" 2>/dev/null)" = "$now" ]; then
        echo "peers: $name is up to date"
        return
    fi
    rm -rf "$dir"
    if (install_"$name" "$dir") >"$peers/$name.log" 2>&1; then
        printf '%s\n' "$now" >"$dir/keystead-stamp"
        rm -f "$peers/$name.missing"
        echo "peers: $name is installed"
    else
        rm -rf "$dir"
        grep -v -e '^ *$' -e 'complete log of this run' "$peers/$name.log" | tail -n 1 | cut -c1-300 >"$peers/$name.missing"
        echo "peers: $name cannot be installed here: $(cat "$peers/$name.missing")"
    fi
}

mkdir -p "$peers"
exec 9>"$peers/lock"
flock -w "$seconds_max" 9
for name in python localemu schemathesis google npm local_kms gcp_kms_emulator terraform securefs encfs cryfs; do
    peer "$name"
done
