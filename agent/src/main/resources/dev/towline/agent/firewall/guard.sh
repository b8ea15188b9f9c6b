#!/bin/sh
# The guard of Towline's firewall rules. It needs no agent: it takes back what was not confirmed.
#
#   guard.sh DIR arm ID SECONDS     waits, then takes set ID back unless it was confirmed meanwhile
#   guard.sh DIR revert ID REASON   takes set ID back now
#   guard.sh DIR boot               forgets what was not confirmed and loads what was
#   guard.sh DIR off                takes Towline's rules away for good, as before it was installed
#
# One rename decides: the agent confirms with pending-ID -> confirmed, the guard takes back with
# pending-ID -> reverted-ID. It names no rules but Towline's own.
dir=$1
what=$2
id=$3

# load FILE: FILE.nft or FILE.sh, whichever is there
load() {
  if [ -e "$1.nft" ]; then nft -f "$1.nft"; elif [ -e "$1.sh" ]; then sh "$1.sh"; else return 1; fi
}

insist() {
  for _ in 1 2 3 4 5; do
    load "$1" && return 0
    sleep 1
  done
  # Not to be loaded: then rather no rules of ours than the unconfirmed ones.
  load "$dir/off"
}

revert() {
  mv "$dir/pending-$1" "$dir/reverted-$1" 2>/dev/null || return 1
  echo "$2" >"$dir/reverted-$1"
  sync "$dir" 2>/dev/null
  insist "$dir/sets/$1/revert"
}

case $what in
  arm)
    echo $$ >"$dir/armed-$id"
    left=$4
    while [ "$left" -gt 0 ]; do
      [ -e "$dir/pending-$id" ] || break
      sleep 1
      left=$((left - 1))
    done
    revert "$id" "no new connection to the manager within $4 s"
    rm -f "$dir/armed-$id"
    ;;
  revert)
    revert "$id" "$4"
    ;;
  boot)
    rm -f "$dir"/armed-*
    for pending in "$dir"/pending-*; do
      [ -e "$pending" ] || continue
      name=${pending##*/pending-}
      revert "$name" "the host restarted before it was confirmed"
    done
    if read -r confirmed 2>/dev/null <"$dir/confirmed"; then
      insist "$dir/sets/$confirmed/apply"
    fi
    ;;
  off)
    rm -f "$dir/confirmed" "$dir"/pending-*
    sync "$dir" 2>/dev/null
    # Written with the first set.
    if [ -e "$dir/off.nft" ] || [ -e "$dir/off.sh" ]; then
      load "$dir/off"
    fi
    ;;
  *)
    echo "usage: guard.sh DIR arm ID SECONDS | revert ID REASON | boot | off" >&2
    exit 2
    ;;
esac
