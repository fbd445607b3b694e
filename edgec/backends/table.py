"""The backends by name. Each is imported on demand, so that a missing vendor SDK affects no other backend."""

from __future__ import annotations

from edgec.backends.base import Backend
from edgec.diag import error
from edgec.spec.backend import backend_spec, backend_specs


def backend(name: str, via: str | None = None) -> Backend:
    """The backend of that name; with `via`, one that uses another emitter.

    Raises `EdgecError` E0101 for an emitter that the backend does not have.
    """
    spec = backend_spec(name)
    if via is None:
        return spec.load()
    if via not in spec.emitters:
        known = [f"`--via {emitter}` is for {s.title} targets" for s in backend_specs() for emitter in s.emitters]
        raise error("E0101", f"`--via {via}` is not for {spec.title} targets", help=["; ".join(known)])
    return spec.emitters[via]()
