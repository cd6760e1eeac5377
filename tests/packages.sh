#!/bin/bash
# The Debian packages, on each release that they are for:
#
#   build       make deb there, with its unit tests; lintian
#   install     into a system with nothing else; the daemon decides, also over an
#               upgrade, which keeps changed settings; then remove and purge: the
#               system is as before
#   systemd     boots a system: the service runs; an upgrade restarts it and loses
#               no client, neither one that is connected nor one that comes; remove
#               and install; where systemd-nspawn is installed
#   autopkgtest the tests of conf/debian/tests, where autopkgtest is installed
#
# make check-packages, or RELEASES=bookworm for one.  As root, with debootstrap and a
# network.  $ROOTS keeps the systems for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

ROOTS=${ROOTS:-/var/tmp/dripgate-packages}
MIRROR=${MIRROR:-http://deb.debian.org/debian}
export DEBIAN_FRONTEND=noninteractive

# inside ROOT COMMANDS: with nothing of it left over.  NET=--net: with a network of
# its own, so that ports are free.
inside() {
	unshare --mount --pid --fork ${NET:-} sh -euc '
		[ -z "$2" ] || ip link set lo up
		mount -t proc proc "$0/proc"
		mount --rbind /dev "$0/dev"
		mount -t tmpfs tmpfs "$0/tmp"
		exec chroot "$0" env -i HOME=/root LANG=C.UTF-8 \
		    DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS="$3" \
		    PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -euo pipefail -c "$1"
	' "$1" "$2" "${NET:-}" "${DEB_BUILD_OPTIONS:-parallel=$(nproc)}"
}

# A system with nothing in it, and a copy with what it takes to build.
prepare() {
	if ! [ -e "$base/etc/debian_version" ]; then
		mkdir -p "$ROOTS"
		debootstrap --variant=minbase "$release" "$base.new" "$MIRROR"
		mv "$base.new" "$base"
	fi
	if ! [ -e "$build" ]; then
		rm -rf "$build.new"
		cp -a "$base" "$build.new"
		cp /etc/resolv.conf "$build.new/etc/resolv.conf"
		inside "$build.new" "apt-get update
			apt-get install -y --no-install-recommends make git \
			    ca-certificates dpkg-dev lintian"
		mv "$build.new" "$build"
	fi
}

make_packages() {
	rm -rf "$build/root/tree"
	mkdir -p "$build/root/tree"
	make -s dist
	tar -xzf build/dripgate-*.tar.gz -C "$build/root/tree" --strip-components=1
	inside "$build" "cd /root/tree
		apt-get update -q
		apt-get satisfy -yq --no-install-recommends \"build-essential, \$(sed -n \
		    '/^Build-Depends:/,/^[A-Z]/s/^ //p' conf/debian/control | tr -d '\n')\"
		make deb
		lintian --fail-on error,warning --info build/deb/*.changes"
}

# What runs in the system under test.
run_daemon='
say() {
	exec 3<>/dev/tcp/127.0.0.1/14290
	echo "consume $1" >&3
	read -r line <&3
	exec 3>&-
	echo "$line"
	[[ $line == "$2"* ]]
}
cd /
setpriv --reuid=65534 --regid=65534 --clear-groups dripgated 2>/tmp/log &
daemon=$!
trap "cat /tmp/log" EXIT
for i in $(seq 100); do dripgate ping 2>/dev/null && break; sleep 0.1; done
say login:42 "ALLOW limit=login level=1 capacity=5 "
echo "; changed here" >>/etc/dripgate/limits.ini
dpkg -i --force-confold /root/second.deb
# The process of before goes on until the service manager restarts it.
say login:42 "ALLOW limit=login level=2 capacity=5 "
grep "changed here" /etc/dripgate/limits.ini
dripgated --version
kill -TERM $daemon
wait $daemon
trap - EXIT
'

# The same package, as the next revision: what it has is the same.
make_next() {
	folder=$(mktemp -d)
	dpkg-deb -R "$1" "$folder/deb"
	sed -i 's/^\(Version: .*-\)1~/\12~/' "$folder/deb/DEBIAN/control"
	grep '^Version: .*-2~' "$folder/deb/DEBIAN/control"
	dpkg-deb --root-owner-group -b "$folder/deb" "$2"
	rm -rf "$folder"
}

# Files aside from what apt and dpkg write with every package.
list() {
	inside "$root" 'find / -xdev \( -path /proc -o -path /tmp -o -path /dev \
	    -o -path /root -o -path /var/cache -o -path /var/log \
	    -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -printf "%p %y %m %l\n" | sort'
}

install_packages() {
	rm -rf "$root"
	cp -a "$base" "$root"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	cp "$build"/root/tree/build/deb/dripgate_*.deb "$root/root/first.deb"
	make_next "$root/root/first.deb" "$root/root/second.deb"
	inside "$root" 'apt-get update -q'
	list >"$root/root/before"
	inside "$root" 'apt-get install -yq --no-install-recommends /root/first.deb
		dripgated --version
		dripgated -c /etc/dripgate/dripgate.ini --check
		dpkg-query -W -f "\${Conffiles}\n" dripgate
		for f in man/man1/dripgate.1.gz man/man5/dripgate.ini.5.gz \
		    man/man7/dripgate-protocol.7.gz man/man8/dripgated.8.gz \
		    bash-completion/completions/dripgate zsh/vendor-completions/_dripgate \
		    fish/vendor_completions.d/dripgate.fish doc/dripgate/grafana.json; do
			grep -qx "/usr/share/$f" /var/lib/dpkg/info/dripgate.list || { echo "no $f"; exit 1; }
		done
		for f in service socket; do ls -L /{,usr/}lib/systemd/system/dripgated.$f; done
		ls /etc/systemd/system/{sockets,multi-user}.target.wants/dripgated.*'
	NET=--net inside "$root" "$run_daemon"
	# State as systemd keeps it for a dynamic user.
	mkdir -p "$root/var/lib/private/dripgate"
	touch "$root/var/lib/private/dripgate/limits"
	ln -s private/dripgate "$root/var/lib/dripgate"
	inside "$root" 'apt-get remove -yq dripgate
		[ -e /etc/dripgate/limits.ini ]
		if [ -e /usr/bin/dripgated ]; then exit 1; fi
		apt-get purge -yq --autoremove dripgate'
	rmdir --ignore-fail-on-non-empty "$root/var/lib/private" 2>/dev/null || true
	list >"$root/root/after"
	diff "$root/root/before" "$root/root/after"
	if grep dripgate "$root/var/lib/dpkg/status"; then exit 1; fi
	rm -rf "$root"
}

# What a service runs in the booted system; what it says is in /root/said.
run_systemd='
set -euo pipefail
exec >/root/said 2>&1
ask() {
	printf "consume api:%s\nquit\n" "$1" | nc -N "${@:2}" | grep -q "^ALLOW limit=api "
}
pid() { systemctl show -P MainPID dripgated; }
set -x
systemctl is-active dripgated.socket dripgated.service
ask 1 -U /run/dripgate.sock
ask 1 127.0.0.1 14290
systemctl --failed --no-pager | grep -q "^0 loaded" || systemctl --failed --no-pager

exec 3<>/dev/tcp/127.0.0.1/14290
echo "consume login:1" >&3; read -r line <&3; [[ $line == "ALLOW limit=login level=1 "* ]]
before=$(pid)
set +x
while ! [ -e /root/upgraded ]; do
	ask $RANDOM 127.0.0.1 14290 && echo fine || echo refused
done >/root/clients 2>&1 &
clients=$!
set -x
dpkg -i /root/second.deb
touch /root/upgraded
wait $clients
[ "$(pid)" != "$before" ] && [ "$(pid)" != 0 ]
echo "consume login:1" >&3; read -r line <&3; [[ $line == "ALLOW limit=login level=1 "* ]]
sort /root/clients | uniq -c
grep fine /root/clients >/dev/null
if grep -v fine /root/clients; then exit 1; fi

/root/service

dpkg -r dripgate
if systemctl is-active dripgated.socket || systemctl is-active dripgated.service; then exit 1; fi
dpkg -i /root/first.deb
systemctl is-active dripgated.socket dripgated.service
systemctl stop dripgated.socket dripgated.service
dpkg -P dripgate
for path in /etc/dripgate /var/lib/dripgate /var/lib/private/dripgate /run/dripgate.sock; do
	if ls -d $path 2>/dev/null; then exit 1; fi
done
echo DONE
'

try_systemd() {
	if ! command -v systemd-nspawn >/dev/null; then
		echo "skipped: no systemd-nspawn"
		return
	fi
	rm -rf "$root"
	cp -a "$base" "$root"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	cp "$build"/root/tree/build/deb/dripgate_*.deb "$root/root/first.deb"
	make_next "$root/root/first.deb" "$root/root/second.deb"
	cp conf/debian/tests/service "$root/root"
	inside "$root" 'apt-get update -q
		apt-get install -yq --no-install-recommends systemd systemd-sysv netcat-openbsd /root/first.deb'
	echo "$run_systemd" >"$root/root/try"
	printf '%s\n' '[Service]' 'Type=oneshot' 'ExecStart=/bin/bash /root/try' \
	    'ExecStopPost=/bin/systemctl poweroff --no-block' '[Unit]' 'After=multi-user.target' \
	    >"$root/etc/systemd/system/try.service"
	mkdir -p "$root/etc/systemd/system/default.target.wants"
	ln -s ../try.service "$root/etc/systemd/system/default.target.wants"
	timeout 120 systemd-nspawn -D "$root" --boot --register=no --keep-unit --private-network \
	    </dev/null >"$root/root/boot" 2>&1 || true
	cat "$root/root/said" || cat "$root/root/boot"
	grep -qx DONE "$root/root/said"
	rm -rf "$root"
}

try_autopkgtest() {
	command -v autopkgtest >/dev/null || return 0
	rm -rf "$root"
	cp -a "$base" "$root"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	inside "$root" 'apt-get update -q'
	# 2: a test was skipped, for it needs a whole system with systemd.
	autopkgtest "$build"/root/tree/build/deb/*.deb "$build"/root/tree/build/deb/*.dsc \
	    -- chroot "$root" || [ $? -eq 2 ]
	rm -rf "$root"
}

for release in ${*:-bookworm trixie}; do
	base=$ROOTS/$release build=$ROOTS/$release-build root=$ROOTS/$release-test
	echo "== $release: build"
	prepare
	make_packages
	echo "== $release: install"
	install_packages
	echo "== $release: systemd"
	try_systemd
	echo "== $release: autopkgtest"
	try_autopkgtest
done
echo "packages: fine"
