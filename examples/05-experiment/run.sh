#!/usr/bin/env bash
# Runs the experiment of the Makefile in a temporary folder and prints its table.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make --silent OUT="$work"
