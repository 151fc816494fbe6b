#!/usr/bin/env bash
# Renews the JavaScript that the page ships with: ES modules from their npm packages, with their licences.
set -euo pipefail
cd "$(dirname "$0")/.."
to=$PWD/src/assistants_api/web/static/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

take() { # package@version, file in it, name here
  local folder=$work/${1%@*}
  if [ ! -d "$folder" ]; then
    mkdir -p "$folder"
    (cd "$work" && tar xzf "$(npm pack --silent "$1")" -C "$folder")
    { echo "# $1"; echo; cat "$folder"/package/LICENSE; echo; } >> "$work/licences"
  fi
  # A browser resolves no bare names, and no source maps are shipped.
  sed -e 's#from *"preact"#from"./preact.js"#g' -e '/^\/\/# sourceMappingURL/d' "$folder/package/$2" > "$to/$3"
}

mkdir -p "$to"
take preact@11.2.0 dist/preact.mjs preact.js
take preact@11.2.0 hooks/dist/hooks.mjs hooks.js
take htm@3.1.1 dist/htm.module.js htm.js
take marked@18.2.1 lib/marked.esm.js marked.js
take dompurify@3.4.18 dist/purify.min.js purify.js
mv "$work/licences" "$to/LICENCES.txt"
