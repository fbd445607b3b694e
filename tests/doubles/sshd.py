"""A real sshd on this machine, for one test run: its own keys, a free port, the user who runs the tests."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.doubles.tools import tools


@dataclass(frozen=True)
class Server:
    """`host` is a name of the configuration `config`, `scratch` a folder that the user there may write to.

    `bin` holds an `ssh` that reads this configuration instead of the user's.
    """

    host: str
    config: Path
    scratch: Path
    bin: Path
    process: subprocess.Popen[bytes]


@contextmanager
def sshd(host: str = "board") -> Iterator[Server]:
    """Serve until the block ends. Raises RuntimeError where it does not start."""
    program = tools().sshd
    assert program is not None
    folder = Path(tempfile.mkdtemp(prefix="edgec-sshd-", dir="/tmp"))
    scratch, bin = folder / "scratch", folder / "bin"
    for each in (scratch, bin):
        each.mkdir()
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    user = pwd.getpwuid(os.getuid()).pw_name
    port = _free_port()
    settings = [
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host_key'}", "PidFile none", "UsePAM no",
        f"AuthorizedKeysFile {folder / 'user_key.pub'}", "PasswordAuthentication no", "StrictModes no",
    ]  # fmt: skip
    (folder / "sshd_config").write_text("\n".join(settings) + "\n")
    known = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
    config = folder / "ssh_config"
    config.write_text(
        f"Host {host}\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {folder / 'user_key'}\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known_hosts'}\n"
    )
    wrapper = bin / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    process = subprocess.Popen(
        [*_prefix(folder), program, "-D", "-e", "-f", str(folder / "sshd_config")],
        env=tools().environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
        start_new_session=True,
    )
    try:
        _wait_for(port, process, folder / "log")
        yield Server(host, config, scratch, bin, process)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(folder: Path) -> list[str]:
    """As root, sshd wants an account of its own and `/run/sshd`: it sees both where nobody else does.

    The mounts are in a namespace of the process.
    """
    if os.getuid() != 0:
        return []
    accounts = Path("/etc/passwd").read_text()
    if "\nsshd:" not in accounts:
        accounts += "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
    (folder / "passwd").write_text(accounts)
    mounts = f"mount --bind {folder / 'passwd'} /etc/passwd && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd"
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$0" "$@"']


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError(f"sshd did not start: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("sshd does not listen")
