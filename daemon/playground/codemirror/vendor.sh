#!/usr/bin/env bash
# vendor.sh: makes codemirror.js and LICENSES.txt of the packages in package-lock.json. Needs npm; nothing else here does.
set -euo pipefail
cd "$(dirname "$0")"

npm ci --silent --no-audit --no-fund
trap 'rm -rf node_modules' EXIT
npx --no-install esbuild entry.js --bundle --format=esm --minify --target=es2022 --legal-comments=none \
	--banner:js='/* CodeMirror 6, MIT: see LICENSES.txt. Made by vendor.sh. */' --outfile=codemirror.js

npm ls --omit=dev --all --parseable | tail -n +2 | LC_ALL=C sort -u | while read -r dir; do
	node -p 'const p = require(process.argv[1] + "/package.json"); p.name + " " + p.version + "\n"' "$dir"
	cat "$dir/LICENSE"
	printf '\n%s\n\n' ------------------------------------------------------------------------
done >LICENSES.txt
