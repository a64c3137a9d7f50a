# What the files beside this one share; sourced by scripts/servers, which sets `name` and `folder`.
#
# A server is a file that defines
#
#   find_server      prints where the server is installed, or says on stderr what is missing
#   install_server   downloads it; may be absent for packages of the system
#   prepare          writes its configuration to $folder, once
#   launch           starts its processes, each with `run`
#   is_ready         succeeds when the server answers
#   address          prints HOST:PORT

root=${KEYMILL_SERVERS:-${TMPDIR:-/tmp}/keymill-servers-$(id -u)}
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/keymill-servers

# How long a server may take to answer, in seconds.
PATIENCE=120

# Small heaps and a fast start: these servers hold little and live minutes.
JAVA=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+PerfDisableSharedMem)

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port of this server by its name, chosen when it is first asked for. It lies below those that the system
# gives to clients, also after adding 10 000, as the server of S3 does.
port() {
  local file=$folder/port.$1 number
  if [ ! -f "$file" ]; then
    while :; do
      number=$((10000 + RANDOM % 10000))
      ! is_taken "$number" && ! grep -qsx "$number" "$root"/*/port.* && break
    done
    echo "$number" >"$file"
  fi
  cat "$file"
}

# Starts a process of this server, whose output is in the file log.NAME.
run() {
  local log=$folder/log.$1
  shift
  setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
  echo $! >>"$folder/pids"
}

# Some servers refuse to run as root.
not_root() {
  if [ "$(id -u)" -ne 0 ]; then run "$@"; else
    chown -R nobody:nogroup "$folder"
    local log=$1
    shift
    run "$log" setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
  fi
}

is_alive() { [ -s "$folder/pids" ] && kill -0 $(cat "$folder/pids") 2>/dev/null; }

# Kills processes and waits until they are gone.
kill_processes() {
  local pid
  for pid in $(cat "$1"); do
    kill -9 "$pid" 2>/dev/null || true
  done
  for pid in $(cat "$1"); do
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  done
  rm -f "$1"
}

kill_one() { [ ! -f "$folder/pids" ] || kill_processes "$folder/pids"; }

signal_one() { kill -s "$signal" $(cat "$folder/pids"); }

ensure_installed() { find_server >/dev/null 2>&1 || install_server; }

ensure_prepared() {
  [ ! -f "$folder/prepared" ] || return 0
  mkdir -p "$folder"
  # Servers that do not run as root have to reach their folder.
  chmod 755 "$root"
  prepare
  touch "$folder/prepared"
}

start_one() {
  local end=$((SECONDS + PATIENCE))
  if is_alive; then return; fi
  kill_one
  launch
  # In a shell of its own, which a refused connection ends.
  until (is_ready) 2>/dev/null; do
    if ! is_alive || [ "$SECONDS" -ge "$end" ]; then
      echo "$name does not start; the end of its log:" >&2
      tail -n 40 "$folder"/log.* >&2
      kill_one
      return 1
    fi
    sleep 0.1
  done
}

# The answer of an HTTP server to GET.
http_get() {
  exec 3<>"/dev/tcp/127.0.0.1/$1"
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nConnection: close\r\n\r\n' "$2" >&3
  timeout 5 cat <&3
  exec 3>&-
}

# Whether Java and the jars in this folder of the cache are there; prints the folder.
find_jars() {
  command -v java >/dev/null || { echo "no Java here; scripts/test --setup installs it" >&2; return 1; }
  [ -f "$cache/$1/complete" ] ||
    { echo "no $name here; scripts/servers --install $name downloads it" >&2; return 1; }
  echo "$cache/$1"
}

# Downloads jars into a folder of the cache. Standard input is what a POM says about dependencies.
install_jars() {
  local work
  command -v mvn >/dev/null || { echo "no Maven here; scripts/test --setup installs it" >&2; return 1; }
  work=$(mktemp -d "${TMPDIR:-/tmp}/keymill-install.XXXXXX")
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo "<groupId>keymill</groupId><artifactId>$name</artifactId><version>1</version><packaging>pom</packaging>"
    cat
    echo '</project>'
  } >"$work/pom.xml"
  mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$work/jars" </dev/null || { rm -rf "$work"; return 1; }
  rm -rf "${cache:?}/$1"
  mkdir -p "$cache"
  # A server that does not run as root reads them too.
  chmod -R a+rX "$work/jars"
  touch "$work/jars/complete"
  mv "$work/jars" "$cache/$1"
  rm -rf "$work"
}

# <dependency> of GROUP:ARTIFACT:VERSION
dependency() {
  local group artifact version
  IFS=: read -r group artifact version <<<"$1"
  echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version>${2:-}</dependency>"
}

# Programs of the system's packages.
find_program() {
  command -v "$1" || { echo "no $1 here; scripts/test --setup installs it" >&2; return 1; }
}
