"""What a source holds, as `edgec inspect` shows it: imported as for a build, written nowhere."""

from __future__ import annotations

from edgec.compiler.options import Progress
from edgec.frontend.dispatch import import_source
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.requested import sources_of
from edgec.ir.states import states
from edgec.measure.inspection import HeldState, Summary
from edgec.measure.inspection.onnx import content_of
from edgec.spec.project import ModelRequest


def summaries_of(model: ModelRequest, progress: Progress) -> dict[str, Summary]:
    """A model's source, and behind it each of its functions, by name. Raises `EdgecError` as a build does."""
    sources = sources_of(model)
    named = [(source_name(sources.main), sources.main), *sources.functions]
    return {name: _summary(source, progress) for name, source in named}


def _summary(source: SourceRequest, progress: Progress) -> Summary:
    progress(f"export {source.ref}")
    imported = import_source(source)
    found = content_of(imported.model)
    held = states(imported.model)
    inside = {name for state in held for name in (state.input, state.output)}
    inputs = {f.name: f for f in found.inputs}
    return Summary(
        format=f"{imported.source.kind} source",
        sha256=imported.source.sha256,
        bytes=sum(weight.bytes for weight in found.weights),
        inputs=tuple(f for f in found.inputs if f.name not in inside),
        outputs=tuple(f for f in found.outputs if f.name not in inside),
        ops=dict(sorted(found.ops.items(), key=lambda item: (-item[1], item[0]))),
        weights=tuple(sorted(found.weights, key=lambda w: (-w.bytes, w.name))),
        states=tuple(
            HeldState(s.input, s.output, "target", inputs[s.input].dtype, inputs[s.input].shape) for s in held
        ),
    )
