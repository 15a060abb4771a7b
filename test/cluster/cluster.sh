#!/bin/bash
# cluster.sh up [DIR] | load IMAGE.tar … | down | prepare
#
# A real one-node Kubernetes on this machine, for tests: `up` builds what is not in the cache, starts the node inside its
# own network, mount, process and host name spaces ("the box") and prints the path of a kubeconfig; `load` gives it more
# images; `down` ends it with every trace; `prepare` only builds what takes `up` so long the first time. As root.
# README.md beside this file tells more.
#
# DIR (default: a folder below the system's temporary one) gets everything that the cluster writes; it may not be below
# /run, /var/lib or /var/log. DIR/log has a file for each part. One cluster a machine: its addresses are fixed.
#
#   this machine  10.90.0.1 ──veth── 10.90.0.2  the box: API server on :6443, pods 10.90.1.0/24, services 10.90.2.0/24
#
# The machine reaches pods and services by their own addresses; pods reach a server of the machine on 10.90.0.1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command=${1:-}
[ $# -eq 0 ] || shift
# Where the running cluster is, for `load` and `down`.
marker=${TMPDIR:-/tmp}/qinling-test-cluster.dir

fail() {
  echo "cluster.sh: $*" >&2
  exit 1
}

# cert NAME SUBJECT [SANS]: a key and a certificate signed by our own authority
cert() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -subj "$2" 2>/dev/null |
    openssl x509 -req -CA ca.crt -CAkey ca.key -days 30 -out "$1.crt" \
      -extfile <(printf 'keyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}") 2>/dev/null
}

# config NAME: the kubeconfig of the holder of that certificate
config() {
  cat <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://10.90.0.2:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
YAML
}

credentials() {
  mkdir -p "$dir/pki"
  cd "$dir/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -subj /CN=test-ca -days 30 2>/dev/null
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  cert server /CN=server DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:node-1,IP:10.90.0.2,IP:10.90.2.1,IP:127.0.0.1
  cert admin /O=system:masters/CN=admin
  cert controllers /CN=system:kube-controller-manager
  cert scheduler /CN=system:kube-scheduler
  cert proxy /CN=system:kube-proxy
  cert kubelet /O=system:nodes/CN=system:node:node-1
  for name in admin controllers scheduler proxy kubelet; do config $name > $name.conf; done
  cp admin.conf "$dir/kubeconfig"
  cd "$OLDPWD"
}

# box PID: the process that is number 1 in there
box() { cat "/proc/$1/task/$1/children" 2> /dev/null || true; }

# prepare: the packages, and the path of the program, built
prepare() {
  [ "$(uname -s)" = Linux ] || fail 'the test cluster needs Linux'
  [ "$(id -u)" = 0 ] || fail 'the test cluster needs root'
  "$here/packages.sh" && "$here/program/build.sh"
}

up() {
  dir=$(realpath -m "${1:-${TMPDIR:-/tmp}/qinling-test-cluster}")
  local bin list images
  bin=$(prepare)
  list=$("$here/images.sh") || fail 'the images could not be made'
  mapfile -t images <<< "$list"
  [ ! -e "$marker" ] || down
  ! ip link show kube-test > /dev/null 2>&1 || fail 'another cluster runs on this machine; stop it first'
  start "$bin" "${images[@]}"
  echo "$dir/kubeconfig"
}

start() { # BIN IMAGE.tar …
  local bin=$1 image outer tries=0
  shift
  rm -rf "$dir"
  mkdir -p "$dir"/{lib,log,images}
  ln -s "$bin" "$dir/bin"
  echo "$dir" > "$marker"
  for image; do ln -s "$(realpath "$image")" "$dir/images/"; done
  credentials
  setsid unshare --mount --net --pid --uts --fork --kill-child --mount-proc --propagation private \
    "$here/node.sh" "$dir" "$bin" > "$dir/log/node.log" 2>&1 < /dev/null &
  outer=$!
  until [ -n "$(box $outer)" ]; do sleep 0.02; done
  box $outer | tr -d ' ' > "$dir/pid"
  ip link add kube-test type veth peer name uplink netns "$(cat "$dir/pid")"
  ip address add 10.90.0.1/30 dev kube-test
  ip link set kube-test up
  ip route replace 10.90.0.0/16 via 10.90.0.2
  until [ -e "$dir/ready" ]; do
    if [ $((tries += 1)) -gt 1200 ] || [ -z "$(box $outer)" ]; then
      tail -n 20 "$dir"/log/*.log >&2
      down
      fail 'the cluster did not start; the ends of its logs are above'
    fi
    sleep 0.1
  done
}

# Killing process 1 of the box ends every process in it; its mounts, interfaces and packet rules go with the last one.
# The cgroups are the machine's, so they are taken away by hand.
down() {
  local pid
  [ -e "$marker" ] || return 0
  dir=$(cat "$marker")
  pid=$(cat "$dir/pid" 2> /dev/null || true)
  if [ -n "$pid" ] && tr '\0' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -q "node.sh $dir "; then
    kill -KILL "$pid"
    while grep -q '^State:.[^ZX]' "/proc/$pid/status" 2> /dev/null; do sleep 0.05; done
    ip link delete kube-test 2> /dev/null || true
    find /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods -depth -type d -exec rmdir {} + 2> /dev/null || true
  fi
  rm -rf "$dir" "$marker"
}

load() {
  local image
  [ -e "$marker" ] || fail 'no cluster runs; `cluster.sh up` starts one'
  dir=$(cat "$marker")
  for image; do
    nsenter --target "$(cat "$dir/pid")" --mount ctr --namespace k8s.io images import - < "$image"
  done
}

case $command in
  up | load | down | prepare) "$command" "$@" ;;
  *)
    echo 'cluster.sh up [DIR] | load IMAGE.tar … | down | prepare' >&2
    exit 2
    ;;
esac
