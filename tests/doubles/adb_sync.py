"""The file service of the adbd double: STAT, SEND, RECV (AOSP's `adb/SYNC.TXT`, version 1)."""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.doubles.adbd import Device, Stream

_CHUNK = 64 * 1024


def serve_sync(stream: "Stream", device: "Device") -> None:
    """Answer requests until QUIT."""
    while True:
        request, size = struct.unpack("<4sI", stream.read(8))
        if request == b"QUIT":
            return
        name = device.here(stream.read(size).decode())
        if request == b"STAT":
            path = Path(name)
            found = path.stat() if path.exists() else None
            numbers = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
            stream.write(struct.pack("<4sIII", b"STAT", *numbers))
        elif request == b"SEND":
            _receive(stream, device, Path(name.rpartition(",")[0]))
        elif request == b"RECV":
            _send(stream, Path(name))


def _receive(stream: "Stream", device: "Device", path: Path) -> None:
    written = 0
    with path.open("wb") as file:
        while True:
            kind, size = struct.unpack("<4sI", stream.read(8))
            if kind == b"DONE":
                break
            data = stream.read(size)
            written += size
            if device.faults.drop_after is not None and written > device.faults.drop_after:
                device.pull_the_cable()
                raise EOFError
            if not device.faults.full:
                file.write(data)
    if device.faults.full:
        _fail(stream, f"couldn't write {path}: No space left on device")
    else:
        stream.write(struct.pack("<4sI", b"OKAY", 0))


def _send(stream: "Stream", path: Path) -> None:
    if not path.is_file():
        _fail(stream, f"No such file: {path}")
        return
    content = path.read_bytes()
    for start in range(0, len(content), _CHUNK):
        part = content[start : start + _CHUNK]
        stream.write(struct.pack("<4sI", b"DATA", len(part)) + part)
    stream.write(struct.pack("<4sI", b"DONE", 0))


def _fail(stream: "Stream", text: str) -> None:
    stream.write(struct.pack("<4sI", b"FAIL", len(text)) + text.encode())
