"""The image's file system without a Docker engine: a mount namespace with the files where the Dockerfile puts them."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.infra.programs import need

BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of Docker's python images."""


class ImageNamespace:
    """This environment is mounted as /opt/laketag, /etc/profile.d contains what steps wrote, and home is Debian's skeleton.

    All other files are those of this machine, which must be Debian for its /etc/profile.
    """

    def __init__(self, folder: Path) -> None:
        self._unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        able = (
            subprocess.run([*self._unshare, "true"], capture_output=True, check=False)
            if shutil.which("unshare")
            else None
        )
        need("mount namespaces cannot be made here", able is not None and able.returncode == 0)
        need("this is no Debian", Path("/etc/debian_version").is_file())
        self._opt, self._profiles, self._home = (folder / name for name in ("opt", "profile.d", "home"))
        (self._opt / "laketag").mkdir(parents=True)
        self._profiles.mkdir()
        shutil.copytree("/etc/skel", self._home)

    def run(self, command: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run the command as a container's shell does, with only the image's environment variables."""
        mounts = [
            ("--bind", Path(sys.prefix), self._opt / "laketag"),
            ("--rbind", self._opt, Path("/opt")),
            ("--bind", self._profiles, Path("/etc/profile.d")),
        ]
        script = "; ".join(shlex.join(["mount", *map(str, mount)]) for mount in mounts)
        return subprocess.run(
            [*self._unshare, "/bin/bash", "-euc", f'{script}; exec /bin/bash -c "$0"', command],
            env={"PATH": BASE_PATH, **environment, "HOME": str(self._home)},
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def image_environment(env_instruction: str) -> dict[str, str]:
    """The variables that one ENV instruction sets, with the base image's PATH filled in."""
    pairs = (word.partition("=")[::2] for word in shlex.split(env_instruction.replace("\\\n", "")))
    return {name: value.replace("${PATH}", BASE_PATH) for name, value in pairs}
