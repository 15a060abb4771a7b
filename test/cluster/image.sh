#!/bin/bash
# image.sh NAME[,NAME…] CONFIG LAYER.tar … OUT.tar
# Makes an image that containerd imports (an OCI layout in a tar) from plain tars, lowest layer first: no daemon, only
# files. CONFIG is the image's "config": {"Entrypoint":[…],"Cmd":[…],"Env":["A=b"],"User":"1000","WorkingDir":"/"}.
# NAME needs a registry part and a tag that is not "latest" (localhost/qinling:1), or the kubelet tries to pull it.
set -euo pipefail
names=$1 config=$2 out=${*: -1}
set -- "${@:3:$#-3}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/blobs/sha256"

# add TYPE FILE: copies the file among the blobs; $digest is its name there, $about what others say about it
add() {
  digest=sha256:$(sha256sum "$2" | cut -d ' ' -f 1)
  cp "$2" "$work/blobs/sha256/${digest#*:}"
  about="{\"mediaType\":\"application/vnd.oci.image.$1\",\"digest\":\"$digest\",\"size\":$(stat -c %s "$2")"
}

layers='' digests=''
for layer; do
  add layer.v1.tar "$layer"
  layers+=${layers:+,}$about} digests+=${digests:+,}\"$digest\"
done
echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":$config,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$digests]}}" > "$work/json"
add config.v1+json "$work/json"
echo "{\"schemaVersion\":2,\"config\":$about},\"layers\":[$layers]}" > "$work/json"
add manifest.v1+json "$work/json"
manifests=''
for each in ${names//,/ }; do
  manifests+=${manifests:+,}"$about,\"annotations\":{\"io.containerd.image.name\":\"$each\"}}"
done
echo "{\"schemaVersion\":2,\"manifests\":[$manifests]}" > "$work/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' > "$work/oci-layout"
tar -C "$work" -cf "$out" oci-layout index.json blobs
