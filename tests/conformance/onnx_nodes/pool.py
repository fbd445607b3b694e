"""Runs cases in worker processes, so that a crash or a hang costs one case and is recorded as such."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue

from tests.conformance.onnx_nodes.engine import CRASHED, Result

_START = 180.0
"""Seconds for a worker to import everything and generate the cases."""


class Worker:
    """A process that answers one case after another."""

    def __init__(self, engine: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(engine, theirs), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(_START) or self._pipe.recv() != "ready":
            self.stop()
            raise RuntimeError("a worker did not start")

    def ask(self, name: str, timeout: float) -> Result:
        """The result of a case; a worker that dies or does not answer within `timeout` seconds is a crash."""
        self._pipe.send(name)
        try:
            if self._pipe.poll(timeout):
                answer: Result = self._pipe.recv()
                return answer
        except EOFError:
            self._process.join(10)
            return Result(name, CRASHED, detail=f"the process ended with code {self._process.exitcode}")
        self.stop()
        return Result(name, CRASHED, detail=f"no answer in {timeout:.0f} s")

    @property
    def alive(self) -> bool:
        """Whether it can run another case."""
        return self._process.is_alive()

    def stop(self) -> None:
        """End the process; a worker that waits for a case ends by itself."""
        self._pipe.close()
        self._process.join(2)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def run_cases(
    engine: str, names: Sequence[str], jobs: int, timeout: float, show: Callable[[Result], None]
) -> list[Result]:
    """The result of each case, in the order of `names`. `timeout` is in seconds for each case."""
    waiting: SimpleQueue[str] = SimpleQueue()
    for name in names:
        waiting.put(name)
    with ThreadPoolExecutor(jobs) as threads:
        served = [threads.submit(_serve, engine, waiting, timeout, show) for _ in range(jobs)]
        results = {result.case: result for one in served for result in one.result()}
    return [results[name] for name in names]


def _serve(engine: str, waiting: SimpleQueue[str], timeout: float, show: Callable[[Result], None]) -> list[Result]:
    """Run cases on one worker, replaced if it dies, until none is waiting."""
    results: list[Result] = []
    worker: Worker | None = None
    for name in _drain(waiting):
        if worker is None or not worker.alive:
            worker = Worker(engine)
        results.append(worker.ask(name, timeout))
        show(results[-1])
    if worker is not None:
        worker.stop()
    return results


def _drain(waiting: SimpleQueue[str]) -> Iterator[str]:
    while True:
        try:
            yield waiting.get_nowait()
        except Empty:
            return


def _work(engine_name: str, pipe: Connection) -> None:
    """The worker process: reports that it is ready, then answers cases until the connection is closed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from tests.conformance.onnx_nodes.cases import load_cases
    from tests.conformance.onnx_nodes.engine import run_case
    from tests.conformance.onnx_nodes.engines.table import ENGINES

    cases, engine = load_cases(), ENGINES[engine_name]
    pipe.send("ready")
    while True:
        try:
            name = pipe.recv()
        except EOFError:
            return
        pipe.send(run_case(engine, cases[name]))
