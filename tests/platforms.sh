#!/bin/sh
# Builds and tests where dripgate has to run, this machine aside:
#
#   debian13   make check, with its compiler, libraries and redis-server
#   valkey     the integration tests there, with its valkey-server
#   arm64      the unit tests, cross-compiled there, by qemu-user
#   i386       the unit tests, cross-compiled there
#   o3         here, with all warnings of -O3 -march=native
#
# make check-platforms, or PLATFORMS="arm64 o3" for some of them.  As root, with
# debootstrap and a network.  $ROOT keeps Debian 13 for the next time.
set -eu
cd "$(dirname "$0")/.."

ROOT=${ROOT:-/var/tmp/dripgate-debian13}
MIRROR=${MIRROR:-http://deb.debian.org/debian}
# What to link with; make check-platforms says it.
: "${LIBRARIES:?}"

# What it mounts is gone when it ends.
inside() {
	unshare --mount --pid --fork sh -euc '
		mount -t proc proc "$0/proc"
		mount --rbind /dev "$0/dev"
		mount -t tmpfs tmpfs "$0/tmp"
		exec chroot "$0" env -i HOME=/root LANG=C.UTF-8 \
		    PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -euc "cd /root/tree; $1"
	' "$ROOT" "$1"
}

prepare() {
	if ! [ -e "$ROOT/root/tree" ]; then
		debootstrap --variant=minbase --include=ca-certificates,make \
		    trixie "$ROOT" "$MIRROR"
	fi
	cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
	rm -rf "$ROOT/root/tree"
	mkdir -p "$ROOT/root/tree"
	tar -c --exclude=.git --exclude='build*' . | tar -x -C "$ROOT/root/tree"
	inside 'make deps deps-test'
}

# cross ARCHITECTURE TRIPLET EMULATOR PACKAGES...
cross() {
	arch=$1 triplet=$2 run=$3
	shift 3
	for library in $LIBRARIES; do
		set -- "$@" "$library:$arch"
	done
	inside "dpkg --add-architecture $arch; apt-get update
		DEBIAN_FRONTEND=noninteractive apt-get install -y \
		    --no-install-recommends gcc-$triplet $*
		lib=/usr/lib/\$($triplet-gcc -print-multiarch)
		export PKG_CONFIG_LIBDIR=\$lib/pkgconfig:/usr/share/pkgconfig
		make -sj$jobs WERROR=1 CC=$triplet-gcc B=build-$arch RUN='$run' \
		    all check-unit"
}

jobs=$(nproc)
for platform in ${*:-debian13 valkey arm64 i386 o3}; do
	echo "== $platform"
	# Each time: another architecture's libraries take the place of the others.
	[ "$platform" = o3 ] || prepare
	case $platform in
	debian13)
		inside "make -sj$jobs WERROR=1 all check" ;;
	valkey)
		inside "DEBIAN_FRONTEND=noninteractive apt-get install -y \
		    --no-install-recommends valkey-server
		make -sj$jobs WERROR=1 REDIS_SERVER=valkey-server check-integration" ;;
	arm64)
		cross arm64 aarch64-linux-gnu 'qemu-aarch64 -L /' \
		    libc6-dev-arm64-cross qemu-user ;;
	i386)
		cross i386 i686-linux-gnu '' libc6-dev-i386-cross ;;
	o3)
		make -sj"$jobs" WERROR=1 B=build-o3 CFLAGS='-O3 -march=native -g' \
		    all check-unit ;;
	*)
		echo "no platform: $platform" >&2
		exit 2 ;;
	esac
done
