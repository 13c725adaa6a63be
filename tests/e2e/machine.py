"""A machine that is thrown away: this one's files beneath a layer in memory, a systemd and a network of its own."""

import pathlib
import secrets
import subprocess

import towline

# Runs in mount and process namespaces of its own. $1: an empty folder; $2: the name of a control group.
# What systemd would do to a machine of its own and not to a container's is kept from it: /proc/sys and /sys are
# read-only, and the units are masked that load modules, wait for networks, mount disks or run jobs by the clock.
BOOT = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/cgroup"
mount -t cgroup2 cgroup2 "$1/cgroup"
mkdir "$1/cgroup/$2"
echo 0 >"$1/cgroup/$2/cgroup.procs"
exec unshare --cgroup sh -ec '
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for each in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $each; done
chmod 1777 tmp
for each in null zero full random urandom tty; do touch dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ip link set lo up
: >etc/fstab
echo thrownaway >etc/hostname
echo "127.0.0.1 localhost thrownaway" >etc/hosts
for each in systemd-modules-load.service network-online.target timers.target; do
  ln -sf /dev/null etc/systemd/system/$each
done
rm -f usr/sbin/policy-rc.d var/lib/man-db/auto-update
pivot_root . mnt
cd /
umount --lazy /mnt
mount --make-rshared /
exec env -i container=towline PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
' sh "$1"
"""


class Machine:
    """root may do everything there; nothing of it outlives stop()."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._group = f"towline-test-{secrets.token_hex(4)}"
        self._outer = towline.Process("machine", [
            "unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child",
            "sh", "-c", BOOT, "sh", folder, self._group], folder.parent)
        try:
            self._pid = towline.wait_for(self._find_init, "the machine's systemd")
            towline.wait_for(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in
                             ("running", "degraded"), "the machine to be up")
        except AssertionError:
            print(self._outer.log())
            self.stop()
            raise

    def _find_init(self):
        assert self._outer.running(), self._outer.log()
        children = pathlib.Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        started = children and pathlib.Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n"
        return int(children[0]) if started else None

    def command(self, *arguments):
        return ["nsenter", "--target", str(self._pid), "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup",
                "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *map(str, arguments)]

    def run(self, *arguments, check=True, input=None):
        result = subprocess.run(self.command(*arguments), input=input, capture_output=True, text=True, timeout=120,
                                stdin=None if input is not None else subprocess.DEVNULL)
        if check:
            assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def out(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.strip()

    def shell(self, text, **options):
        return self.out("bash", "-ec", text, **options)

    def path(self, name):
        """A file of the machine as this one sees it."""
        return pathlib.Path(f"/proc/{self._pid}/root") / name.lstrip("/")

    def stop(self):
        self._outer.kill()
        # Its control groups have nobody left in them, but stay until they are removed.
        remove = ('mount -t cgroup2 cgroup2 "$1"; for i in 1 2 3 4 5 6 7 8 9 10; do '
                  'find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null && exit 0; sleep 0.1; done; exit 1')
        subprocess.run(["unshare", "--mount", "sh", "-c", remove, "sh", "/mnt", self._group], check=True)
