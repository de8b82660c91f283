"""Ceph's S3 gateway, with real authentication: a monitor, an in-memory OSD and the gateway, on loopback."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stores.processes import await_port, free_port, start, stop

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool", "radosgw", "radosgw-admin")

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon_port}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
crash dir = {folder}
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
mon data avail crit = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
paxos propose interval = 0.05
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd op num shards = 2
ms bind ipv6 = false
debug ms = 0/0
debug mon = 0/0
debug paxos = 0/0
debug osd = 0/0
debug rgw = 0/0
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw thread pool size = 64
rgw enable ops log = false
rgw enable usage log = false
rgw run sync thread = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
"""
# tcp_nodelay: without it small answers wait 40 ms for a delayed acknowledgement.

KEYS = {  # cephx must be on: without it radosgw is refused and never listens
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw.a": {"mon": "allow rw", "osd": "allow rwx"},
}


@dataclass(frozen=True)
class User:
    """An S3 user of the gateway."""

    name: str
    access_key: str
    secret_key: str


def missing_programs() -> list[str]:
    """Names of the Ceph programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextmanager
def serve_ceph(folder: Path, users: tuple[User, ...]) -> Iterator[str]:
    """The URL of a gateway that knows these users; its data is in memory and forgotten at the end."""
    port, mon_port = free_port(), free_port()
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    conf = folder / "ceph.conf"
    conf.write_text(CONFIGURATION.format(fsid=uuid.uuid4(), folder=folder, port=port, mon_port=mon_port))
    ceph = ("-c", str(conf))
    _make_keyring(folder / "keyring")
    with ExitStack() as running:

        def serve(name: str, *command: str) -> "subprocess.Popen[bytes]":
            process = start(command, folder / f"{name}.out")
            running.callback(stop, process)  # ended in reverse order: the gateway hangs if its OSD goes first
            return process

        monmap = str(folder / "monmap")
        _run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{mon_port}]", monmap)
        _run("ceph-mon", *ceph, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", str(folder / "keyring"))
        serve("mon", "ceph-mon", *ceph, "-f", "-i", "a")
        osd_id = str(uuid.uuid4())
        _run("ceph", *ceph, "osd", "new", osd_id)
        _run("ceph-osd", *ceph, "--mkfs", "-i", "0", "--osd-uuid", osd_id)
        serve("osd", "ceph-osd", *ceph, "-f", "-i", "0")
        for user in users:
            names = (f"--uid={user.name}", f"--display-name={user.name}", "--max-buckets=10000")
            keys = (f"--access-key={user.access_key}", f"--secret-key={user.secret_key}")
            _run("radosgw-admin", *ceph, "-n", "client.rgw.a", "user", "create", *names, *keys)
        gateway = serve("rgw", "radosgw", *ceph, "-f", "-n", "client.rgw.a")
        await_port(port, gateway, folder / "rgw.out")
        yield f"http://127.0.0.1:{port}"


def _make_keyring(path: Path) -> None:
    for number, (name, rights) in enumerate(KEYS.items()):
        create = () if number else ("--create-keyring",)
        caps = [word for system, right in rights.items() for word in ("--cap", system, right)]
        _run("ceph-authtool", *create, str(path), "--gen-key", "-n", name, *caps)


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {result.stdout[-1000:]}{result.stderr[-1000:]}")
