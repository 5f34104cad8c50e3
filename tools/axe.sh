#!/bin/sh
# Fetches axe-core (MPL-2.0), which the tests of the planner's page run in a browser; needs npm.
set -eu
cd "$(dirname "$0")/.."
folder="${RESTOCK_CACHE:-.cache}/axe-core-4.14.1"
[ -f "$folder/axe.min.js" ] && exit 0
mkdir -p "$folder"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
npm pack --silent --pack-destination "$made" axe-core@4.14.1 >/dev/null
tar -xzf "$made/axe-core-4.14.1.tgz" -C "$made" package/axe.min.js
echo "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c  $made/package/axe.min.js" | sha256sum -c - >/dev/null
mv "$made/package/axe.min.js" "$folder/axe.min.js"
