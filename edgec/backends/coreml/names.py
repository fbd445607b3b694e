"""Renaming a program to valid Core ML identifiers, with the source's names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgec.backends.base import Argument, Const, Instr, Operand, Program, Ref
from edgec.backends.coreml.options import Classifier, CoreMLOptions
from edgec.ledger.coreml.identifiers import Scope


@dataclass(frozen=True)
class Named:
    """A program and the target's options with valid identifiers.

    `scope` provides identifiers for what assembly adds. `interface` and `values` map renamed inputs, outputs and
    states, and values, to the source's names.
    """

    program: Program
    options: CoreMLOptions
    scope: Scope
    interface: Mapping[str, str]
    values: Mapping[str, str]


def named(program: Program, options: CoreMLOptions) -> Named:
    """Keep valid names, with priority for the interface; conflicting ones are numbered in the program's order."""
    scope = Scope()
    given = [ref.name for ref in (*program.inputs, *program.states)]
    inputs, outputs = _interface(given, [name for name, _ in program.outputs], scope)
    outputs |= _labels(options.classifier, outputs, scope)
    own = {ref.name for instr in program.instrs for ref in instr.outputs}
    values = dict(inputs)
    values |= {n: outputs[n] for n, v in program.outputs if isinstance(v, Ref) and v.name == n and n in own}
    inside = [name for name in dict.fromkeys(_inside(program)) if name not in values]
    kept = {name for name in inside if scope.keep(name)}
    values |= {name: name if name in kept else scope.new(name) for name in inside}
    return Named(
        _renamed(program, values, outputs),
        _options(options, inputs, outputs),
        scope,
        _changed({**{v: k for k, v in outputs.items()}, **{v: k for k, v in inputs.items()}}),
        _changed({v: k for k, v in values.items()}),
    )


def _labels(classifier: Classifier | None, outputs: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """A classifier's outputs, the second of which coremltools names after the first; it may cast the scores."""
    if classifier is None:
        return {}
    label = scope.new(classifier.label_output)
    scope.keep(f"{label}_probs")
    scope.keep(f"{outputs.get(classifier.output)}_cast_to_fp32")
    return {classifier.label_output: label, f"{classifier.label_output}_probs": f"{label}_probs"}


def _interface(given: list[str], shown: list[str], scope: Scope) -> tuple[dict[str, str], dict[str, str]]:
    """Identifiers of inputs and states, and of outputs, by name; an output may have the name of an input."""
    inputs = {name: name for name in given if scope.keep(name)}
    outputs = {name: name for name in shown if scope.keep(name)}
    inputs |= {name: scope.new(name) for name in given if name not in inputs}
    outputs |= {name: scope.new(name) for name in shown if name not in outputs}
    return inputs, outputs


def _changed(sources: Mapping[str, str]) -> dict[str, str]:
    return {identifier: source for identifier, source in sources.items() if identifier != source}


def _inside(program: Program) -> Iterator[str]:
    """Every name of a value and of a constant, in order."""
    for instr in program.instrs:
        yield from (v.name for v in instr.operands())
        yield from (ref.name for ref in instr.outputs)
        for block in instr.blocks:
            yield from (ref.name for ref in block.inputs)
            yield from _inside(block)
    yield from (operand.name for _, operand in program.outputs)


def _renamed(program: Program, values: Mapping[str, str], outputs: Mapping[str, str] | None = None) -> Program:
    """Rename a function (with `outputs`) or a block, whose results are not named."""
    shown = ((outputs[n] if outputs else n, _operand(v, values)) for n, v in program.outputs)
    return replace(
        program,
        inputs=_refs(program.inputs, values),
        states=_refs(program.states, values),
        instrs=tuple(_instr(instr, values) for instr in program.instrs),
        outputs=tuple(shown),
    )


def _refs(refs: Iterable[Ref], values: Mapping[str, str]) -> tuple[Ref, ...]:
    return tuple(replace(ref, name=values[ref.name]) for ref in refs)


def _operand(operand: Operand, values: Mapping[str, str]) -> Operand:
    name = values[operand.name]
    return operand if name == operand.name else replace(operand, name=name)


def _argument(argument: Argument, values: Mapping[str, str]) -> Argument:
    if isinstance(argument, Ref | Const):
        return _operand(argument, values)
    return None if argument is None else tuple(_operand(v, values) for v in argument)


def _instr(instr: Instr, values: Mapping[str, str]) -> Instr:
    return replace(
        instr,
        inputs=tuple((name, _argument(value, values)) for name, value in instr.inputs),
        outputs=_refs(instr.outputs, values),
        blocks=tuple(_renamed(block, values) for block in instr.blocks),
    )


def _options(options: CoreMLOptions, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> CoreMLOptions:
    """The options with the identifiers of inputs and outputs."""
    images = tuple(replace(image, name=inputs.get(image.name, image.name)) for image in options.images)
    pictures = tuple(replace(image, name=outputs.get(image.name, image.name)) for image in options.output_images)
    texts = tuple((inputs.get(n, outputs.get(n, n)), text) for n, text in options.metadata.features)
    classifier = options.classifier
    if classifier is not None:
        label, scores = outputs[classifier.label_output], outputs.get(classifier.output, classifier.output)
        classifier = replace(classifier, label_output=label, output=scores)
    metadata = replace(options.metadata, features=texts)
    return replace(options, images=images, output_images=pictures, classifier=classifier, metadata=metadata)


def function_names(functions: Iterable[str]) -> dict[str, str]:
    """The identifier of each function by its requested name."""
    scope, wanted = Scope(), list(functions)
    kept = {name for name in wanted if scope.keep(name)}
    return {name: name if name in kept else scope.new(name) for name in wanted}


def name_what_was_added(function: Any, scope: Scope) -> None:
    """Rename the constants of coremltools' function that it named by a per-process counter.

    They are defaults of omitted parameters, and are named after the operation and parameter.
    """
    operations = list(_operations(function))
    seen = {*function.inputs, *(v.name for op in operations if op.op_type != "const" for v in op.outputs)}
    for op in operations:
        for value in op.outputs:
            if op.op_type == "const" and (value.name not in scope or value.name in seen):
                value.name = scope.new(_COUNTED.sub("", value.name))
            seen.add(value.name)
        if op.outputs:
            op.name = op.outputs[0].name


_COUNTED = re.compile(r"_[0-9]+$")


def _operations(block: Any) -> Iterator[Any]:
    for op in block.operations:
        yield op
        for inner in op.blocks:
            yield from _operations(inner)
