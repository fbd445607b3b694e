"""A process that reads files, so that a crash or a hang affects only one file."""

from __future__ import annotations

import multiprocessing
import resource
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgec.frontend.request import SourceRequest

_SECONDS = 60.0
_MEMORY = 16 << 30


class Worker:
    """A process that reads files; replaced if it dies or hangs."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None

    def ask(self, path: Path) -> str:
        """`taken`, the code of the diagnostic, or a description of the failure."""
        if self._process is None:
            self._start()
        try:
            self._pipe.send(path)
            if self._pipe.poll(_SECONDS):
                answer: str = self._pipe.recv()
                return answer
            outcome = "hangs"
        except (EOFError, OSError):
            outcome = "the process dies"
        assert self._process is not None
        self._process.kill()
        self._process = None
        return outcome

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection) -> None:
    from edgec.compiler.options import BuildOptions
    from edgec.compiler.stages import prepare
    from edgec.diag import EdgecError
    from edgec.spec.project import FILE, load_project

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        try:
            if path.suffix == ".toml":
                load_project(path.parent / FILE)
            else:
                prepare(_request(path), BuildOptions(), lambda step: None)
            outcome = "taken"
        except EdgecError as refused:
            outcome = refused.diagnostics[0].code
        except BaseException:
            outcome = f"traceback: {traceback.format_exc()}"
        pipe.send(outcome)


def _request(path: Path) -> SourceRequest:
    """The request with the file as source or as weights."""
    from edgec.frontend.request import SourceRequest
    from edgec.frontend.samples.inputs import InputSpec

    if path.suffix in (".safetensors", ".ckpt"):
        return SourceRequest(f"{path.parent / 'net.py'}:model", weights=path)
    return SourceRequest(str(path), (InputSpec("input", (1, 3, 8, 8), "float32"),) if path.suffix == ".pt" else ())
