#!/usr/bin/env bash
# Runs the experiment of the Makefile in a temporary folder: three tuners on three servers, a table, a picture if gnuplot is
# there, and a claim that holds for all of them together or fails the build.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make --silent -j2 OUT="$work" table
if command -v gnuplot >/dev/null; then
  make --silent OUT="$work" picture && mlq-plot "$work"/pool-delay.scores.jsonl --format text --size 80x12 -q
fi
make --silent OUT="$work" claim && echo "The claim holds."
