#!/bin/bash
# build.sh: builds the test cluster's program when it is not in the cache, and prints the folder that it is in, with a
# link in it for every command.
#
# The folder is named by the hash of all that the program is made of. A build goes to a folder of its own and is renamed
# when it is whole, so two runs may meet.
set -euo pipefail
cd "$(dirname "$0")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qinling-test-cluster
out=$cache/program-$(cat go.mod go.sum ./*.go build.sh | sha256sum | cut -c 1-16)
if [ ! -e "$out/kubernetes" ]; then
  go=$(./go.sh)
  echo 'build.sh: building Kubernetes for the test cluster; about 5 minutes on 2 cores the first time' >&2
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/building-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  # Without these every part of Kubernetes would call itself version 0.0.0.
  version=$(sed -n 's#^.*k8s.io/kubernetes v\([0-9.]*\)$#\1#p' go.mod)
  flags='-s -w'
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d . -f 2 <<< "$version")"
  done
  CGO_ENABLED=0 nice -n 19 "$go" build -trimpath -buildvcs=false -gcflags=all=-dwarf=false -ldflags "$flags" -o "$work/kubernetes" . >&2
  for name in dns etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet policy; do
    ln -s kubernetes "$work/$name"
  done
  mv --no-target-directory "$work" "$out" 2> /dev/null || [ -e "$out/kubernetes" ]
fi
echo "$out"
