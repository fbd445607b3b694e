"""Fit predictors to a folder of tables: build each network as a program once, fit, carry over, write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgec.backends.table import backend
from edgec.compiler.networks import built
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.latency.crossvalidate import LEAST_NETWORKS, Trained, train
from edgec.latency.extrapolate import by_hardware, by_kin
from edgec.latency.families import Family, families, network_key, samples
from edgec.latency.features import Features, features
from edgec.latency.predictor import SUBFOLDER, OnDevice
from edgec.latency.predictor_text import write
from edgec.latency.tables import Measured, Network, read_tables
from edgec.passes.canonicalize import canonicalize
from edgec.spec.device import list_devices, load_device
from edgec.spec.target import load_target

Told = Callable[[str], None]


@dataclass(frozen=True)
class FitOutcome:
    """What was fitted, and the networks that could not be built, with why."""

    trained: list[Trained]
    unbuilt: dict[str, str]


def fit_tables(data: Path, cache: Path, told: Told, only: Sequence[str] = ()) -> FitOutcome:
    """Fit every family (or `only` some) that the tables of a folder hold enough networks for.

    `cache` keeps the features of networks from one fit to the next.
    Raises `EdgecError` E0106 for what is wrong in a table.
    """
    measured = read_tables(data)
    unbuilt: dict[str, str] = {}
    trained: list[Trained] = []
    for family in families():
        if only and family.name not in only:
            continue
        known = {t.predictor.name: t.predictor.parameters for t in trained}
        family = family.starting(known[family.like]) if family.like in known else family
        mine = samples(family, measured)
        networks = {network_key(m.network): m.network for m in measured if family.has(m)}
        programs = _programs(family, networks, cache, unbuilt, told)
        usable = [s for s in mine if s.network in programs]
        if len({s.network for s in usable}) >= LEAST_NETWORKS:
            found = train(family, usable, programs, told)
            trained.append(
                replace(found, predictor=replace(found.predictor, devices=_devices(family, found, measured)))
            )
    return FitOutcome(trained, unbuilt)


def write_predictors(outcome: FitOutcome, profiles: Path) -> list[Path]:
    """Write each predictor into a folder of device profiles."""
    paths = []
    for found in outcome.trained:
        paths.append(profiles / SUBFOLDER / f"{found.predictor.name}.toml")
        write(found.predictor, paths[-1])
    return paths


def _devices(family: Family, found: Trained, measured: Sequence[Measured]) -> dict[str, OnDevice]:
    """The measured devices, then those that were compared with one, then those like one."""
    known = dict(found.predictor.devices)
    known |= by_kin(family, measured, known)
    few = {name: d for name, d in known.items() if not d.borrowed and d.models < LEAST_NETWORKS}
    known |= {name: replace(d, widening=0.15, source=f"{d.source}; {d.models} networks") for name, d in few.items()}
    profiles = [load_device(name) for name in list_devices()]
    known |= by_hardware(family, profiles, known)
    there = {p.name for p in profiles}
    return {name: d for name, d in sorted(known.items()) if name in there}


def _programs(
    family: Family, networks: dict[str, Network], cache: Path, unbuilt: dict[str, str], told: Told
) -> dict[str, Features]:
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for key, network in sorted(networks.items()):
        kept = cache / f"{key}@{family.target}.json"
        if not kept.is_file():
            told(f"{family.target}: {key}")
            why = _in_a_process(lambda network=network, kept=kept: _keep(network, family, kept))  # type: ignore[misc]
            if why:
                unbuilt[key] = why
                continue
        found[key] = Features.from_json(kept.read_text(encoding="utf-8"))
    return found


def _keep(network: Network, family: Family, path: Path) -> None:
    """Build a network as a program, unverified, and keep its features."""
    from edgec.frontend.torch.importer import capture_model

    module, inputs = built(network)
    name = "network"
    imported = capture_model(module.eval(), inputs, SourceRequest(name), SourceId("module", name, ""))
    canonical = canonicalize(imported.model).model
    target = load_target(family.target)
    chosen = backend(target.backend)
    program = chosen.lower(chosen.legalize(canonical, target).model, target)
    text = features(program, chosen.work, chosen.crossings(program, target, family.unit)).to_json()
    path.write_text(text, encoding="utf-8")


def _in_a_process(work: Callable[[], None]) -> str:
    """Run in a fork, whose memory goes with it; what went wrong, in a line, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_ended(work, writing))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as pipe:
        why = pipe.read()
    _, status = os.waitpid(child, 0)
    return why or ("" if status == 0 else f"its process ended with status {status}")


def _ended(work: Callable[[], None], writing: int) -> int:
    try:
        work()
    except EdgecError as refused:
        os.write(writing, refused.diagnostics[0].message[:300].encode())
        return 1
    except Exception as failure:  # a constructor's own: its network is left out, and said so
        os.write(writing, f"{type(failure).__name__}: {failure}".splitlines()[0][:300].encode())
        return 1
    finally:
        sys.stdout.flush()
    return 0


def summary(outcome: FitOutcome) -> Iterable[str]:
    """What was fitted and what was not, a line each."""
    for found in outcome.trained:
        q = found.predictor.quality
        yield (
            f"{found.predictor.name}: {q.networks} networks, {q.measurements} measurements; of unseen architectures: "
            f"median error {q.median_error:.1%}, within 25 % {q.within_25:.0%}, Spearman {q.spearman:.3f}, "
            f"coverage {q.coverage:.0%}, half-width {q.half_width:.0%}"
        )
        for s in found.left_out:
            yield f"  left out: {s.network} on {s.device}, {s.ms:g} ms, which no fit explains"
    for key, why in outcome.unbuilt.items():
        yield f"not built: {key}: {why}"
