#!/bin/sh
# Makes .venv and installs the locked packages and this project into it; at once done if nothing changed.
# Called by make. The variable PYTHON names a Python to take instead of the first suitable one.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
locked=$(cksum <locks/dev.txt)
wanted="$PWD $locked $(cksum <pyproject.toml)"
stamp=.venv/.restock-installed
version='import sys; print(sys.base_prefix, sys.version)'
# a Python that is asked for by name and is not the one that .venv was made with
if [ -n "${PYTHON:-}" ] && [ "$("$PYTHON" -c "$version" 2>&1)" != "$(.venv/bin/python -c "$version" 2>&1)" ]; then
    rm -f $stamp .venv/bin/python
fi
[ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null && exit 0

suits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
# each candidate is run: the shims of version switchers are on the PATH even for versions that are not there
find_python() {
    incomplete=
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 python}; do
        "$candidate" -c "$suits" 2>/dev/null || continue
        "$candidate" -c 'import ensurepip, venv' 2>/dev/null && return 0
        incomplete=$candidate
    done
    if [ -n "$incomplete" ]; then
        version=$("$incomplete" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        say "$incomplete is Python $version, but it cannot make virtual environments (no ensurepip)."
        say "Install that part (Debian, Ubuntu: apt install python$version-venv) or name another: make PYTHON=..."
    else
        say "No Python 3.11, 3.12 or 3.13 found (tried: ${PYTHON:-python3.13 python3.12 python3.11 python3 python})."
        say "Install one, or name it: make PYTHON=/path/to/python3.12"
    fi
    return 1
}

begun=$(date +%s)
PIP_CACHE_DIR=$PWD/.cache/pip
export PIP_CACHE_DIR PIP_DISABLE_PIP_VERSION_CHECK=1
# a folder that was moved, or whose Python is gone, holds wrong paths: made anew
case "$(cat $stamp 2>/dev/null)" in "" | "$PWD "*) moved= ;; *) moved=yes ;; esac
if [ -n "$moved" ] || ! .venv/bin/python -c "$suits" 2>/dev/null; then
    find_python || exit 1
    say "Making .venv with $("$candidate" --version) ($candidate)"
    "$candidate" -m venv --clear .venv
fi
if [ "$(cat .venv/.restock-locked 2>/dev/null)" != "$locked" ]; then
    say "Installing $(grep -c '==' locks/dev.txt) packages into .venv: about 700 MB to fetch once, 1 to 5 minutes"
    .venv/bin/python -m pip install --quiet --require-hashes --requirement locks/dev.txt
    printf '%s' "$locked" >.venv/.restock-locked
fi
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
printf '%s' "$wanted" >$stamp
say "Installed in $(($(date +%s) - begun)) s; nothing outside this folder was changed"
