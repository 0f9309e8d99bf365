#!/bin/sh
# Installs Sparkngin on macOS from the folder this script lies in; with --uninstall removes it again. Configuration and data stay.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=${PREFIX:-/usr/local}
daemon=/Library/LaunchDaemons/sparkngin.plist
config=$prefix/etc/sparkngin/sparkngin.toml
data=$prefix/var/sparkngin

[ "$(uname -s)" = Darwin ] || { echo "install.sh is for macOS; on Linux take the rpm, the deb or the tarball." >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "Cannot install into $prefix: run it with sudo." >&2; exit 77; }

if [ "${1:-}" = --uninstall ]; then
  launchctl bootout system "$daemon" 2>/dev/null || true
  rm -f "$daemon" "$prefix/bin/sparkngin" "$prefix"/share/man/man[1-8]/sparkngin*
  echo "Removed. Configuration and data are where they were: $config, $data"
  exit 0
fi

mkdir -p "$prefix/bin" "$prefix/etc/sparkngin" "$data" "$prefix/var/log"
cp "$here/sparkngin" "$prefix/bin/sparkngin.new"
chmod 755 "$prefix/bin/sparkngin.new"
# What was downloaded by a browser is not allowed to run otherwise: the executable is not notarised.
xattr -d com.apple.quarantine "$prefix/bin/sparkngin.new" 2>/dev/null || true
mv "$prefix/bin/sparkngin.new" "$prefix/bin/sparkngin"
for section in 1 5 7 8; do
  [ -d "$here/man/man$section" ] || continue
  mkdir -p "$prefix/share/man/man$section"
  cp "$here/man/man$section/"* "$prefix/share/man/man$section/"
done
if [ ! -e "$config" ]; then
  sed "s|^#data = .*|data = \"$data\"|" "$here/sparkngin.sample.toml" >"$config"
fi
sed -e "s|@PREFIX@|$prefix|g" -e "s|@DATA@|$data|g" "$here/launchd/sparkngin.plist" >"$daemon"
chmod 644 "$daemon"
echo "Installed $("$prefix/bin/sparkngin" --version). Configuration: $config"
echo "Start it now and at every boot:  sudo launchctl bootstrap system $daemon"
echo "Stop it:                         sudo launchctl bootout system $daemon"
