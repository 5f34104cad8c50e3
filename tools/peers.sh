#!/bin/sh
# Makes .cache/peers, an environment of its own for peers of `make bench` that are no packages of ours.
# Called by make. Without a network it says so: the bench goes on without them.
set -eu
cd "$(dirname "$0")/.."

peers=${RESTOCK_CACHE:-$PWD/.cache}/peers
locked=$(cksum <locks/peers.txt)
[ "$(cat "$peers/.locked" 2>/dev/null)" = "$locked" ] && "$peers/bin/python" -c '' 2>/dev/null && exit 0
echo "Installing $(grep -c '==' locks/peers.txt) packages of peers into $peers: about 1 minute, once" >&2
.venv/bin/python -m venv --clear "$peers"
if PIP_DISABLE_PIP_VERSION_CHECK=1 "$peers/bin/python" -m pip install --quiet --require-hashes \
    --requirement locks/peers.txt; then
    printf '%s' "$locked" >"$peers/.locked"
else
    rm -rf "$peers"
    echo "They cannot be fetched: the bench goes on without them." >&2
fi
