"""An adbd over TCP: speaks the protocol of a device to a real `adb`, and executes in a folder of this machine.

The messages are those of AOSP's `adb/protocol.txt` and `adb/SYNC.TXT`, the shell's those of its version 2. What the
device calls /data/local/tmp is a folder here; the programs of `bin` there come first.
"""

import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles.adb_sync import serve_sync

_VERSION, _MOST = 0x01000001, 256 * 1024
_HOME = "/data/local/tmp"
_OUT, _ERR, _EXIT = 1, 2, 3


@dataclass
class Faults:
    """What goes wrong. `drop_after`: bytes of pushed files after which the cable is pulled; `full`: no disk space."""

    drop_after: int | None = None
    full: bool = False
    unauthorized: bool = False


@dataclass
class Device:
    """`sandbox` is /data/local/tmp, `bin` the device's own programs; `environment` reaches what is executed."""

    sandbox: Path
    bin: Path
    port: int = 0
    faults: Faults = field(default_factory=Faults)
    environment: dict[str, str] = field(default_factory=dict)
    open: set[socket.socket] = field(default_factory=set)

    def here(self, text: str) -> str:
        """A path or command of the device, on this machine."""
        return text.replace(_HOME, str(self.sandbox))

    def pull_the_cable(self) -> None:
        """End every connection."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def adbd() -> Iterator[Device]:
    """Serve on a free port of this machine until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="edgec-adbd-", dir="/tmp"))
    device = Device(folder / "tmp", folder / "bin")
    device.sandbox.mkdir()
    device.bin.mkdir()
    listener = socket.create_server(("127.0.0.1", 0))
    device.port = listener.getsockname()[1]
    threading.Thread(target=_accept, args=(listener, device), daemon=True).start()
    try:
        yield device
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        device.pull_the_cable()
        shutil.rmtree(folder, ignore_errors=True)


def _accept(listener: socket.socket, device: Device) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        device.open.add(connection)
        threading.Thread(target=_Connection(connection, device).serve, daemon=True).start()


class Stream:
    """One service that the host opened: bytes in, bytes out, one unacknowledged packet at a time."""

    def __init__(self, connection: "_Connection", own: int, other: int) -> None:
        self._connection, self._own, self._other = connection, own, other
        self.incoming: queue.Queue[bytes | None] = queue.Queue()
        self.acknowledged = threading.Semaphore(0)
        self._rest = b""

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MOST):
            self._connection.send(b"WRTE", self._own, self._other, data[start : start + _MOST])
            if not self.acknowledged.acquire(timeout=60):
                raise OSError("not acknowledged")

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes. Raises EOFError at the end."""
        while len(self._rest) < size:
            more = self.incoming.get()
            if more is None:
                raise EOFError
            self._rest += more
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def close(self) -> None:
        self._connection.send(b"CLSE", self._own, self._other)


class _Connection:
    """One host."""

    def __init__(self, connection: socket.socket, device: Device) -> None:
        self._socket, self._device = connection, device
        self._sending = threading.Lock()
        self._streams: dict[int, Stream] = {}

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        number = int.from_bytes(command, "little")
        header = struct.pack("<4sIIIII", command, first, second, len(data), sum(data) & 0xFFFFFFFF, number ^ 0xFFFFFFFF)
        with self._sending:
            self._socket.sendall(header + data)

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                command, first, second, size, _, _ = struct.unpack("<4sIIIII", self._exactly(24))
                self._take(command, first, second, self._exactly(size))
        for stream in self._streams.values():
            stream.incoming.put(None)
        self._device.open.discard(self._socket)
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self._socket.recv(size - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def _take(self, command: bytes, first: int, second: int, data: bytes) -> None:
        if command in (b"CNXN", b"AUTH"):
            if self._device.faults.unauthorized:
                self.send(b"AUTH", 1, 0, os.urandom(20))
            else:
                names = "ro.product.name=double;ro.product.model=Double;ro.product.device=double"
                self.send(b"CNXN", _VERSION, _MOST, f"device::{names};features=shell_v2,cmd".encode())
        elif command == b"OPEN":
            own = len(self._streams) + 1
            stream = self._streams[own] = Stream(self, own, first)
            self.send(b"OKAY", own, first)
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=self._serve_stream, args=(stream, service), daemon=True).start()
        elif command == b"WRTE" and second in self._streams:
            self._streams[second].incoming.put(data)
            self.send(b"OKAY", second, first)
        elif command == b"OKAY" and second in self._streams:
            self._streams[second].acknowledged.release()
        elif command == b"CLSE" and second in self._streams:
            self._streams[second].incoming.put(None)

    def _serve_stream(self, stream: Stream, service: str) -> None:
        with suppress(OSError, EOFError):
            kind, _, text = service.partition(":")
            if kind.split(",")[0] == "shell":
                _shell(stream, self._device, text)
            elif kind == "sync":
                serve_sync(stream, self._device)
            stream.close()


def _shell(stream: Stream, device: Device, command: str) -> None:
    """Version 2: packets of output, then the exit status. The command ends when the host closes the stream."""
    environment = {"PATH": f"{device.bin}:/usr/bin:/bin", **device.environment}
    process = subprocess.Popen(
        ["sh", "-c", device.here(command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=device.sandbox,
        start_new_session=True,
    )
    threading.Thread(target=_end_with, args=(stream, process), daemon=True).start()
    readers = [
        threading.Thread(target=_copy, args=(stream, kind, pipe), daemon=True)
        for kind, pipe in ((_OUT, process.stdout), (_ERR, process.stderr))
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    stream.write(struct.pack("<BIB", _EXIT, 1, process.wait() & 0xFF))


def _end_with(stream: Stream, process: "subprocess.Popen[bytes]") -> None:
    """As a pseudo terminal's hang-up would."""
    while stream.incoming.get() is not None:
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)


def _copy(stream: Stream, kind: int, pipe: object) -> None:
    with suppress(OSError):
        while data := pipe.read1(65536):  # type: ignore[attr-defined]
            stream.write(struct.pack("<BI", kind, len(data)) + data)
