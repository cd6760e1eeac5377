#!/bin/sh
# Make the root of the image in a folder: the programs, the libraries that they load,
# settings, certificates of authorities, time zones, and a user.
#
#   conf/container/root.sh FOLDER PROGRAM...
set -eu
conf=$(dirname "$0")/..
root=$1
shift

mkdir -p "$root/usr/bin" "$root/etc/dripgate" "$root/etc/ssl/certs" "$root/proc" "$root/dev"
install -s -m 755 "$@" "$root/usr/bin"

# "name => path (address)", and the loader: "path (address)"
ldd "$@" | sed -n 's/^[^/]*\(\/[^ :]*\) (0x.*/\1/p' | sort -u | while read -r library; do
	install -D -m 755 "$library" "$root$library"
done

install -m 644 "$conf/dripgate.ini" "$conf/limits.ini" "$root/etc/dripgate"
echo 'dripgate:x:65532:65532::/:/' >"$root/etc/passwd"
echo 'dripgate:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
	install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs"
fi
if [ -e /usr/share/zoneinfo/zone.tab ]; then
	mkdir -p "$root/usr/share"
	cp -R /usr/share/zoneinfo "$root/usr/share"
fi
chmod -R go+rX "$root"
