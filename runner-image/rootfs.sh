#!/bin/sh
# rootfs.sh LIST UNWANTED DIR: lays the root file system of a runner image into DIR, from the Debian packages in LIST (a line each; one
# with a minus takes away what would come with the others) without those in UNWANTED.
#
# Packages are unpacked, not installed: no maintainer script runs, and apt, dpkg, perl, compilers and headers stay out. The few things
# that the scripts would have done, and that Python programs notice, are done below by name. Runs as root in a Debian container.
set -eu
list=$1
unwanted=$2
root=$3

# The base may lack the security suite (one built by mmdebstrap from the main suite does).
cat >/etc/apt/sources.list <<LIST
deb ${MIRROR:-http://deb.debian.org/debian} trixie main
deb ${MIRROR:-http://deb.debian.org/debian} trixie-updates main
deb ${SECURITY_MIRROR:-http://deb.debian.org/debian-security} trixie-security main
LIST
rm -rf /etc/apt/sources.list.d
echo '==> package lists'
apt-get -q update -o Acquire::Languages=none

# An empty status file makes apt list what is already in this base as well.
debs=/var/cache/apt/archives
sed '/^#/d; /^-/d' "$list" |
	xargs apt-get -qq -y --no-install-recommends -o Dir::State::status=/dev/null --print-uris install >/tmp/uris
sed "s/^'[^']*' \([^_]*\)_.*/\1/" /tmp/uris | sort -u >/tmp/closure
{ grep -v '^#' "$unwanted" && sed -n 's/^-//p' "$list"; } | sort -u >/tmp/unwanted
comm -23 /tmp/closure /tmp/unwanted >/tmp/packages
echo "==> $(wc -l </tmp/packages) packages: download"
cd "$debs"
xargs apt-get -q -o APT::Sandbox::User=root download </tmp/packages

echo '==> unpack'
mkdir -p "$root"
for deb in *.deb; do
	dpkg-deb --extract "$deb" "$root"
	rm "$deb"
done
chmod -R go-w "$root" && chmod 1777 "$root/tmp" "$root/var/tmp"
lib=$(echo "$root"/usr/lib/*-linux-gnu)

# What the maintainer scripts would have made.
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
if [ -d "$lib/openblas-pthread" ]; then
	ln -s openblas-pthread/libblas.so.3 "$lib/libblas.so.3"
	ln -s openblas-pthread/liblapack.so.3 "$lib/liblapack.so.3"
	ln -s openblas-pthread/libopenblas.so.0 "$lib/libopenblas.so.0"
fi
if [ -e "$root/usr/bin/mawk" ]; then
	ln -s mawk "$root/usr/bin/awk"
fi
ldconfig -r "$root"

# What no program in a session reads. Libraries import their `testing` packages and none of their `tests`, but for one file in numpy.
cd "$root"
find usr/share/doc ! -type d ! -name copyright -delete
find usr/share/doc -type d -empty -delete
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bug usr/share/doc-base \
	usr/share/bash-completion usr/share/gtk-doc usr/share/debconf usr/share/pixmaps usr/share/icons usr/share/applications \
	usr/include usr/lib/udev usr/lib/systemd lib/systemd etc/systemd etc/init.d etc/default etc/cron.* var/lib/dpkg \
	"$lib"/pkgconfig "$lib"/cmake "$lib"/perl-base usr/share/perl5 usr/share/python3/debpython usr/share/python3/runtime.d
find . -xdev \( -name '*.a' -o -name '*.h' -o -name '*.hpp' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.pyi' \) -type f -delete
find usr/lib/python3 usr/lib/python3.13 -depth -type d \( -name tests -o -name __pycache__ \) ! -path '*/numpy/_core/tests' -exec rm -rf {} +
find usr/lib/python3 -path '*/numpy/_core/tests/*' ! -name __init__.py ! -name _natype.py -delete
find . -xdev -type f -perm /6000 -exec chmod a-s {} +

# Where sessions mount their own: the working directory, and what the engine puts in every container.
mkdir -p home/user opt/fastpyrepl proc sys dev run root tmp var/tmp

# Byte code checked by neither time nor content: nothing in a read-only image changes. The two devices are for Python's start; Python's
# process pool wants a directory for semaphores.
mkdir -p dev/shm
cp -a /dev/null /dev/urandom dev/
echo '==> byte code'
PYTHONHASHSEED=0 chroot . python3 -I -m compileall -q -j 0 --invalidation-mode unchecked-hash usr/lib/python3 usr/lib/python3.13

# matplotlib looks for fonts for seconds when it finds no list of them, and takes a list only from a directory that it may write to. So
# the list is made here, and a session's Python puts a link to it there (sitecustomize.py).
if [ -d usr/lib/python3/dist-packages/matplotlib ]; then
	echo '==> font list'
	MPLCONFIGDIR=/opt/fastpyrepl/matplotlib MPLBACKEND=agg chroot . python3 -I -c 'import matplotlib.pyplot'
	test -s opt/fastpyrepl/matplotlib/fontlist-*.json
	install -m 644 /build/sitecustomize.py usr/lib/python3/dist-packages/sitecustomize.py
	rm -f usr/lib/python3.13/sitecustomize.py etc/python3.13/sitecustomize.py
	PYTHONHASHSEED=0 chroot . python3 -I -m compileall -q --invalidation-mode unchecked-hash usr/lib/python3/dist-packages/sitecustomize.py
fi
rm -rf dev
mkdir dev
apt-get clean
rm -rf /var/lib/apt/lists
