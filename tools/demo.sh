#!/bin/sh
# A persona in a minute: a throw-away home, the sample person, three questions. Touches nothing of yours.
set -eu
bin=$1
root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export LIKENESS_HOME="$tmp/home" XDG_CONFIG_HOME="$tmp/config"
me="Marit Penhallow,marit@penhallow.example.org,m.penhallow@tollickferries.example.com,shop@secondwind.example.org,Marit at Second Wind,Marit P,Marit"
step() { printf '\n$ likeness %s\n' "$*"; }

echo "Likeness, in a throw-away home. The person is invented: see examples/README.md."
step init
"$bin" init
step 'new Marit --kind fictional --consent-by "The Likeness authors" --consent-to "demonstration" --me "..."'
"$bin" new Marit --kind fictional --consent-by "The Likeness authors" --consent-to "demonstration" --me "$me"
step add examples/person
(cd "$root" && "$bin" add examples/person)
for q in "Will you ever get married again?" "What is love?" "What do you think of e-bikes?"; do
  step "ask \"$q\""
  "$bin" ask "$q"
done
cat <<EOT

Now with your own files:
  sudo make install                                  (or use $bin as it is)
  likeness init
  likeness new "Your Name" --kind self
  likeness add --me "Your Name,you@example.org" ~/exports/mail.mbox "WhatsApp Chat with Anna.txt" ~/journal
  likeness chat
The demo's home has been removed again.
EOT
