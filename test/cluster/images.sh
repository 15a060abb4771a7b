#!/bin/bash
# images.sh: makes the images of the test cluster, those that are not in the cache, and prints the file of each.
#
#   localhost/pause:1      what holds a pod's name spaces
#   localhost/busybox:1    a shell, httpd, nc, wget (not with -T: that crashes in the static build of Debian)
#   localhost/languages:1  this machine's Node.js, Debian's Python, a shell, and nothing of ours: runtime images as an
#                          operator has them, also as localhost/python-with-tools:1 and localhost/team/node-runtime:1
#   localhost/nginx:1      Debian's nginx, in the place of the TLS proxy's image
#   localhost/qinling:1    gateway and agent, as in manifests/images/qinling: on top of the languages, so that a node
#                          agent offers those too. Made of build/, which must be up to date
#
# Everything is made from files: no registry, no image service.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
project=$(cd ../.. && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qinling-test-cluster
mkdir -p "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pack() { tar --directory "$1" --owner 0 --group 0 --numeric-owner --sort name --mtime @0 --create --file "$2" .; }

# once FILE COMMAND…: has the command write the file, unless it is in the cache. Two runs may meet.
once() {
  local file=$1 partial
  shift
  [ -e "$file" ] && return 0
  partial=$(mktemp "$cache/making-XXXXXX")
  "$@" "$partial"
  mv "$partial" "$file"
}

small_layer() { # OUT
  local root=$work/busybox applet
  mkdir -p "$root"/{bin,etc,tmp,www}
  chmod 1777 "$root/tmp"
  for applet in $(busybox --list); do ln -s busybox "$root/bin/$applet"; done
  cp --remove-destination "$(command -v busybox)" "$root/bin/busybox"
  echo 'root:x:0:0:root:/:/bin/sh' > "$root/etc/passwd"
  pack "$root" "$1"
}

# Packages are unpacked only, no script of theirs runs: quick, and the same files every time.
extract() { # PACKAGE,… OUT
  local sources=/etc/apt/sources.list.d/debian.sources
  [ -e "$sources" ] || sources=/etc/apt/sources.list
  mmdebstrap --quiet --variant=extract --include="base-files,libc-bin,$1" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$2" "$sources" >&2
}

languages_layer() { # OUT
  local root=$work/languages
  mkdir "$root"
  extract coreutils,dash,grep,libstdc++6,python3,util-linux "$work/debian.tar"
  tar --directory "$root" --extract --file "$work/debian.tar" --exclude './dev/*' --exclude './var/cache/*' --exclude './var/lib/apt/*'
  cp "$(node -p process.execPath)" "$root/usr/bin/node"
  printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:65532:65532:user:/tmp:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\nuser:x:65532:\n' > "$root/etc/group"
  echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
  pack "$root" "$1"
}

# Debian's package as it is, but for its error log, which it opens before it has read where to write: the root is read-only.
nginx_layer() { # OUT
  local root=$work/nginx
  mkdir "$root"
  extract nginx "$work/nginx.tar"
  tar --directory "$root" --extract --file "$work/nginx.tar" --exclude './dev/*' --exclude './var/cache/*' --exclude './var/lib/apt/*'
  ln -sf /dev/stderr "$root/var/log/nginx/error.log"
  pack "$root" "$1"
}

# The program without what only its development needs. Folders of packages that nobody asked for any more are left out
# by the package manager's own list.
qinling_layer() { # OUT
  local root=$work/qinling/opt/qinling module
  mkdir -p "$root/build" "$root/node_modules"
  cp "$project/package.json" "$root/"
  cp -R "$project"/build/{gateway,agent,protocol} "$root/build/"
  cp -R "$project/runtimes" "$root/runtimes"
  mkdir -p "$root/gateway/store/sqlite"
  cp -R "$project/gateway/store/sqlite/migrations" "$root/gateway/store/sqlite/"
  while read -r module; do
    mkdir -p "$root/$(dirname "$module")"
    cp -R "$project/$module" "$root/$module"
  done < <(production_modules)
  # Sources of native modules, and builds of uWebSockets.js for other machines.
  rm -rf "$root"/node_modules/better-sqlite3/{deps,src} "$root"/node_modules/better-sqlite3/build/Release/obj*
  find "$root/node_modules" -name 'uws_*.node' ! -name "uws_$(node -p 'process.platform + "_" + process.arch + "_" + process.versions.modules').node" -delete
  pack "$work/qinling" "$1"
}

# Paths of the installed modules that the program runs with, none below another one.
production_modules() {
  node -e '
    const { packages } = JSON.parse(require("fs").readFileSync(process.argv[1] + "/package-lock.json", "utf8"));
    for (const [path, { dev, optional }] of Object.entries(packages)) {
      if (path === "" || dev || path.lastIndexOf("node_modules") > 0) continue;
      if (optional && !require("fs").existsSync(process.argv[1] + "/" + path)) continue;
      console.log(path);
    }' "$project"
}

hash() { sha256sum | cut -c 1-16; }
image() { "$here/image.sh" "$@"; }

small=$cache/busybox-$(sha256sum < "$(command -v busybox)" | cut -c 1-16)
once "$small.layer" small_layer
once "$small-1.tar" image localhost/busybox:1 '{"Cmd":["/bin/sh"],"Env":["PATH=/bin"]}' "$small.layer"
once "$small-pause-1.tar" image localhost/pause:1 '{"Entrypoint":["/bin/sleep","2147483647"]}' "$small.layer"

names=localhost/languages:1,localhost/python-with-tools:1,localhost/team/node-runtime:1
languages=$cache/languages-$( { declare -f extract languages_layer; node --version; } | hash)
once "$languages.layer" languages_layer
once "$languages-2.tar" image "$names" '{"Cmd":["node"],"Env":["PATH=/usr/bin:/bin"],"User":"65532"}' "$languages.layer"

nginx=$cache/nginx-$(declare -f extract nginx_layer | hash)
once "$nginx.layer" nginx_layer
once "$nginx-1.tar" image localhost/nginx:1 '{"Cmd":["nginx","-g","daemon off;"],"Env":["PATH=/usr/sbin:/usr/bin"]}' "$nginx.layer"

[ -e "$project/build/agent/main.js" ] || { echo 'images.sh: build/ is missing: npm run build makes it' >&2; exit 1; }
qinling=$cache/qinling-$( { declare -f qinling_layer; node --version; cd "$project"; sha256sum package-lock.json; find build/{gateway,agent,protocol} runtimes gateway/store/sqlite/migrations -type f | sort | xargs sha256sum; } | hash)
once "$qinling.layer" qinling_layer
once "$qinling-1.tar" image localhost/qinling:1 \
  '{"Cmd":["node","/opt/qinling/build/gateway/main.js"],"Env":["PATH=/usr/bin:/bin"],"User":"65532","WorkingDir":"/opt/qinling"}' \
  "$languages.layer" "$qinling.layer"

# Images of earlier states of the program are of no use any more.
find "$cache" -maxdepth 1 -name 'qinling-*' ! -name "$(basename "$qinling")*" -mmin +60 -delete
printf '%s\n' "$small-pause-1.tar" "$small-1.tar" "$languages-2.tar" "$nginx-1.tar" "$qinling-1.tar"
