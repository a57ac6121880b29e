#!/bin/sh
# A persona in a minute: a throw-away home, the sample person, three questions. Touches nothing of
# yours. Every command that is shown is the one that runs: `show` prints its words and runs them.
set -eu
bin=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export LIKENESS_HOME="$tmp/home" XDG_CONFIG_HOME="$tmp/config"
exec 2>&1
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else bold='' plain=''; fi

# Breaks the shown line as one would type it, so that it fits 80 columns.
show() {
  shown='$ likeness' room=68
  for word in "$@"; do
    case $word in *[!A-Za-z0-9./_-]*) word="\"$word\"" ;; esac
    room=$((room - ${#word} - 1))
    if [ $room -lt 2 ]; then
      shown="$shown \\
    $word"
      room=$((74 - ${#word}))
    else
      shown="$shown $word"
    fi
  done
  printf '\n%s%s%s\n' "$bold" "$shown" "$plain"
  "$bin" "$@"
}

echo "Likeness, in a throw-away home. The person is invented: see examples/README.md."
show init
show new "Marit Penhallow" --kind fictional --consent-by "The Likeness authors" \
  --consent-to "show what Likeness does" --me "Marit Penhallow,Marit P,Marit,Marit at Second Wind"
show me "marit@penhallow.example.org,shop@secondwind.example.org"
show me "m.penhallow@tollickferries.example.com"
show add examples/person
for q in "Will you ever get married again?" "Do you eat meat?" "What do you think of e-bikes?"; do
  show ask "$q"
done
cat <<EOT

${bold}Now with your own files${plain} (the demo's home has been removed again):
  sudo make install                # or use $1 as it is
  likeness init
  likeness new "Your Name" --kind self
  likeness add "WhatsApp Chat with Anna.txt" mail.mbox ~/journal
  likeness chat
EOT
