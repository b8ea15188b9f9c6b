#!/bin/sh
# Starts @program@ on the Java run-time that came with it, or on a Java 25 or newer of this host.
#
#   TOWLINE_JAVA_HOME  the Java to use where none came with the program
#   TOWLINE_JAVA_OPTS  options for it, after those below, so that they win
set -eu

# The file that a chain of symbolic links leads to.
resolve() {
  file=$1
  while [ -h "$file" ]; do
    link=$(readlink "$file")
    case $link in
      /*) file=$link ;;
      *) file=$(dirname "$file")/$link ;;
    esac
  done
  printf '%s\n' "$file"
}

# Whether a directory holds Java 25 or newer; reads a file, starts nothing.
usable() {
  [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 1
  version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release")
  [ "${version:-0}" -ge 25 ]
}

home=$(cd "$(dirname "$(resolve "$0")")/.." && pwd -P)

on_path=$(command -v java || true)
[ -z "$on_path" ] || on_path=$(dirname "$(dirname "$(resolve "$on_path")")")

java=
for candidate in "$home/runtime" "${TOWLINE_JAVA_HOME-}" "${JAVA_HOME-}" "$on_path" /usr/lib/jvm/*; do
  if [ -n "$candidate" ] && usable "$candidate"; then
    java=$candidate/bin/java
    break
  fi
done
if [ -z "$java" ]; then
  echo "@program@: no Java 25 or newer found. Install one, or name its directory in TOWLINE_JAVA_HOME." >&2
  exit 1
fi

# File names are UTF-8 on every host; in the locale "C" Java could not open them.
case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
  *[Uu][Tt][Ff]-8 | *[Uu][Tt][Ff]8) ;;
  *)
    LC_ALL=C.UTF-8
    export LC_ALL
    ;;
esac

# shellcheck disable=SC2086 # options are words
exec "$java" --enable-native-access=ALL-UNNAMED -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError \
  -Djava.library.path="$home/lib/native" -Dorg.sqlite.lib.path="$home/lib/native" \
  @java-options@ ${TOWLINE_JAVA_OPTS-} \
  -cp "@class-path@" @main@ "$@"
