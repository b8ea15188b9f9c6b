# shellcheck shell=bash
# Runs a main class of this repository that is in no package. Sourced after host.sh and tests.sh.

# compile_main MODULE: compiles a module with its tests, and writes the class path of both to a file; only when a source has
# changed since.
compile_main() {
  local file=$1/target/main.classpath log
  if [ -s "$file" ] && [ -z "$(find . -path '*/target' -prune -o \
    \( -name '*.java' -o -name '*.proto' -o -name pom.xml -o -path './*/src/*/resources/*' \) \
    -newer "$file" -print -quit)" ]; then
    return 0
  fi
  say "compiling $1"
  log=$(mktemp)
  mvn -B -ntp -Dfast -pl "$1" -am test-compile \
    org.apache.maven.plugins:maven-dependency-plugin:build-classpath -Dmdep.outputFile=target/main.classpath \
    -Dmdep.includeScope=test >"$log" 2>&1 || {
    grep -E '^\[(ERROR|INFO)\]' "$log" | tail -n 40 >&2
    die "$1 does not compile" "the lines above are Maven's; all of them are in $log" "mend that and run the command again"
  }
  rm -f "$log"
  touch "$file" # Maven leaves a file alone that would not change
}

# exec_main MODULE CLASS [JAVA-OPTION...] -- ARG...: becomes that program.
exec_main() {
  local module=$1 class=$2 options=()
  shift 2
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  compile_main "$module"
  exec "$(java_25)/bin/java" --enable-native-access=ALL-UNNAMED -Dtowline.repository="$PWD" "${options[@]}" \
    -cp "$module/target/test-classes:$module/target/classes:$(cat "$module/target/main.classpath")" "$class" "$@"
}
