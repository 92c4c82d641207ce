#!/usr/bin/env bash
# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Builds the Debian packages from a build tree, installs them into a clean Debian root with nothing
# but a compiler in it, and builds and runs the consumer project there.   deb_test.sh <build tree>
# The clean root without our packages is kept in build/cache for the next run.
set -euo pipefail
tree=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

skip() {
  echo "SKIPPED: $1"
  exit 77
}

((EUID == 0)) || skip "a clean root can only be made and entered by root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (./setup --package)"
command -v dpkg-shlibdeps >/dev/null || skip "dpkg-dev is not installed (./setup --package)"
grep -q '^ID=debian' /etc/os-release || skip "this is not Debian: the packages are for Debian"
unshare --mount true 2>/dev/null || skip "this machine does not let root make a mount namespace"

codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
tools=g++,cmake,make,pkg-config,ca-certificates
work=$(mktemp -d "$tree/package-test.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# The machine's own Debian sources (not those of other vendors) and its way to them.
sources=$work/sources
{
  cat /etc/apt/sources.list 2>/dev/null || true
  echo
} | grep -E "^deb .*\b$codename\b" >"$work/one-line.list" || true
deb822=()
for file in /etc/apt/sources.list.d/*.sources; do
  grep -qsE "^Suites:.*\b$codename\b" "$file" && deb822+=("$file")
done
if ((${#deb822[@]})); then
  for file in "${deb822[@]}"; do cat "$file"; echo; done >"$sources"
elif [[ -s $work/one-line.list ]]; then
  cp "$work/one-line.list" "$sources"
else
  skip "found no apt source for $codename in /etc/apt"
fi
apt-config dump | grep -E '^Acquire::(http|https|ftp)::' >"$work/apt.conf" || true
echo 'Acquire::Retries "3";' >>"$work/apt.conf"

key=$(cat "$sources" "$work/apt.conf" <(echo "$tools v1") | sha256sum | cut -c1-16)
cache=$top/build/cache/debian-$codename-$key.tar
if [[ ! -s $cache ]]; then
  echo "-- making a clean $codename root with $tools (about a minute)"
  mkdir -p "${cache%/*}"
  options=()
  while IFS= read -r line; do options+=("--aptopt=$line"); done <"$work/apt.conf"
  if ! mmdebstrap --mode=root --variant=apt --format=tar --include="$tools" "${options[@]}" \
      --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
      "$codename" "$work/root.tar" - <"$sources" >"$work/mmdebstrap.log" 2>&1; then
    tail -n 30 "$work/mmdebstrap.log"
    if grep -qE 'Permission denied|Operation not permitted' "$work/mmdebstrap.log"; then
      skip "this machine does not let root make a clean root (above)"
    fi
    echo "making the clean root failed (above)"
    exit 1
  fi
  mv "$work/root.tar" "$cache"
fi

echo "-- packages"
(cd "$work" && cpack -G DEB --config "$tree/CPackConfig.cmake" -B "$work/packages" \
  >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log"; exit 1; }
packages=("$work"/packages/*.deb)
for package in "${packages[@]}"; do
  echo "   $(basename "$package"): $(dpkg-deb -f "$package" Depends)"
done
library=$(ls "$work"/packages/libsettee_*.deb)
# The libraries are C++ and link third-party ones: a package without dependencies is a wrong one.
dpkg-deb -f "$library" Depends | grep -q 'libstdc++6' ||
  { echo "libsettee does not depend on libstdc++6: its dependencies were not found"; exit 1; }
if grep -q '^SETTEE_ZOOKEEPER_LIBRARY:.*=/' "$tree/CMakeCache.txt"; then
  dpkg-deb -f "$library" Depends | grep -q 'libzookeeper-mt2' ||
    { echo "libsettee does not depend on libzookeeper-mt2, which its registry links"; exit 1; }
fi

echo "-- clean root"
root=$work/root
mkdir "$root"
tar -xf "$cache" -C "$root" --numeric-owner
mkdir -p "$root/test/packages" "$root/etc/ssl/certs"
cp "${packages[@]}" "$root/test/packages/"
cp -r "$top/tests/consumer" "$root/test/consumer"
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  [[ -e $file ]] && cp -L "$file" "$root$file"
done
cp "$work/apt.conf" "$root/etc/apt/apt.conf.d/99settee-test"

cat >"$root/test/inside.sh" <<'INSIDE'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get -q update >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
if ls /usr/include/settee >/dev/null 2>&1; then echo "the root is not clean"; exit 1; fi
apt-get -q install -y --no-install-recommends /test/packages/*.deb >/tmp/apt.log 2>&1 ||
  { cat /tmp/apt.log; exit 1; }
dpkg -s libsettee libsettee-dev | grep -E '^(Package|Status|Version)'
mkdir /test/build
components=$(cd /usr/lib/pkgconfig && for file in settee-*.pc; do
  file=${file#settee-}; echo "${file%.pc}"; done | sort | tr '\n' ' ')
bash /test/consumer/consumer.sh /test/build /test/consumer /usr "${components% }"
if command -v settee >/dev/null; then
  settee --help >/dev/null
  echo "-- the settee program of the package starts"
fi
apt-get -q purge -y libsettee >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
if find /usr -path '*settee*' | grep .; then echo "purging left these files behind"; exit 1; fi
echo "-- installed, used and purged"
INSIDE
# The mounts live in a namespace of their own and go with the last process in it.
unshare --mount --fork --kill-child bash -c '
  mount -t proc proc "$1/proc" 2>/dev/null || true
  exec chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
    bash /test/inside.sh' clean-root "$root"
