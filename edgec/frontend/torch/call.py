"""A call of a module: its example arguments, their names, and the eager module as the reference."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from edgec.diag import error
from edgec.frontend.imported import Array
from edgec.frontend.samples.inputs import InputSpec, Known, check_once, match_specs
from edgec.frontend.torch.overrides.compiled_modules import not_compiling
from edgec.frontend.torch.overrides.stable_sort import StableSorts
from edgec.frontend.torch.patches import patched
from edgec.frontend.torch.precision.double import InDouble
from edgec.frontend.torch.precision.half import Widened, in_single, no_autocast, written_in_halves
from edgec.frontend.torch.precision.monte_carlo import Rounding
from edgec.frontend.torch.state.buffers import StateBuffer, buffers_restored, contents, fill
from edgec.frontend.torch.state.memory import Memory
from edgec.frontend.user_code import user_code

_TOLD = 4
"""The number of example inputs that a message shows."""


@dataclass(frozen=True)
class Call:
    """The arguments of a call: `forward(*args, **kwargs)`."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def tensors(self) -> list[torch.Tensor]:
        """The tensors of the call, in the order of torch.export."""
        return output_tensors((self.args, self.kwargs))

    def names(self, module: torch.nn.Module) -> list[str]:
        """The tensors' names as in torch.export: the parameter, followed by the keys inside it."""
        parameters = list(inspect.signature(module.forward).parameters.values())
        paths, _ = pytree.tree_flatten_with_path((self.args, self.kwargs))
        found = []
        for (side, first, *rest), leaf in paths:
            if isinstance(leaf, torch.Tensor):
                positional = side == pytree.SequenceKey(0) and isinstance(first, pytree.SequenceKey)
                head = _parameter(parameters, int(_part(first))) if positional else _part(first)
                found.append("_".join([head, *(_part(k) for k in rest)]))
        return found

    def told(self, module: torch.nn.Module) -> list[str]:
        """The tensors, each in a line for a message: `x` float32 [1, 3, 224, 224]."""
        named = zip(self.names(module), self.tensors(), strict=True)
        said = [f"`{name}` {str(t.dtype).removeprefix('torch.')} {list(t.shape)}" for name, t in named]
        more = f" and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
        return [f"its inputs: {', '.join(said[:_TOLD])}{more}"] if said else []

    def dynamic_shapes(self, module: torch.nn.Module, dims: Mapping[str, dict[int, Any]]) -> dict[str, Any]:
        """The `dynamic_shapes` for `torch.export`: for each parameter a structure like its argument's."""
        names = iter(self.names(module))
        leaves, spec = pytree.tree_flatten((self.args, self.kwargs))
        open_dims = [dims.get(next(names)) if isinstance(leaf, torch.Tensor) else None for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(open_dims, spec)
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
        return dict(bound.arguments)

    def with_tensors(self, tensors: Sequence[torch.Tensor]) -> Call:
        """The same call with other tensors."""
        leaves, spec = pytree.tree_flatten((self.args, self.kwargs))
        fresh = iter(tensors)
        replaced = [next(fresh) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(replaced, spec)
        return Call(args, kwargs)


class TorchReference:
    """The eager module in float32 on the CPU. Buffers that it updates are inputs and outputs; with its `memory`, each
    run starts in the initial state.
    """

    name = "pytorch"

    def __init__(
        self,
        module: torch.nn.Module,
        call: Call,
        inputs: Sequence[str],
        outputs: Sequence[str],
        held: Sequence[StateBuffer] = (),
        memory: Memory | None = None,
    ) -> None:
        self._module, self._call, self._memory = module, call, memory
        self._inputs, self._outputs, self._held = tuple(inputs), tuple(outputs), tuple(held)

    def of(self, module: Any, inside: str = "") -> TorchReference:
        """The same call of another, equivalent module, which was the child `inside` of this one."""
        held = [replace(b, path=b.path.removeprefix(f"{inside}.")) for b in self._held]
        return TorchReference(module, self._call, self._inputs, self._outputs, held)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Call the module with arrays named like the graph's inputs."""
        tensors = [in_single(torch.from_numpy(np.array(inputs[name]))) for name in self._inputs]
        call = self._call.with_tensors(tensors)
        fresh = self._memory.fresh() if self._memory is not None else nullcontext()
        kept = buffers_restored(self._module, [b.path for b in self._held])
        with user_code("running the model"), eager(self._module), not_compiling(), fresh, kept:
            fill(self._module, self._held, inputs)
            result = self._module(*call.args, **call.kwargs)
            # Results may be the buffers themselves, which are restored afterwards.
            shown = [t.clone() if self._held else t for t in output_tensors(result)]
            after = contents(self._module, self._held)
        return {**dict(zip(self._outputs, (t.numpy() for t in shown), strict=True)), **after}

    def rounded(self, inputs: Mapping[str, Array], roundings: float, seed: int) -> dict[str, Array] | None:
        """`run` in float64, with operands of operators that round perturbed by up to `roundings` float32 roundings."""
        with Rounding(roundings, seed):
            return self.precise(inputs)

    def precise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """`run` in float64. None if the module keeps states, or requires its own types."""
        if self._held:
            return None
        arrays = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in inputs.items()}
        usual = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            wide = self.of(copy.deepcopy(self._module).double())
            with InDouble():  # type: ignore[no-untyped-call]  # torch has no annotations there
                return wide.run(arrays)
        except Exception:  # the user's own code, with types that it was not written for
            return None
        finally:
            torch.set_default_dtype(usual)


@dataclass(frozen=True)
class Ran:
    """The results of a call, with copies of its tensors, and whether it requested half precision."""

    result: Any
    outputs: list[torch.Tensor]
    halves: bool


def run_eagerly(module: torch.nn.Module, call: Call) -> Ran:
    """Call the module with copies of the tensors. Its buffers and the random state are restored."""
    fresh = call.with_tensors([t.clone() for t in call.tensors()])
    kept, random, running = buffers_restored(module), torch.random.fork_rng(devices=[]), eager(module)
    trying = user_code("running the model on its example inputs", call.told(module))
    with trying, running as precision, not_compiling(), kept, random:
        torch.manual_seed(0)
        result = module(*fresh.args, **fresh.kwargs)
        return Ran(result, [t.clone() for t in output_tensors(result)], precision.seen)


@contextmanager
def eager(module: torch.nn.Module) -> Iterator[Widened]:
    """While active: single precision, no gradients, stable sorts; without the fast path of `nn.MultiheadAttention`,
    which sets padded positions to zero, and without the checks whether a mask of `nn.Transformer` is causal and whether
    the parameters of a distribution are valid, which depend on data.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        precision = Widened(rounds=not written_in_halves(module))
        with patched() as patches, torch.no_grad(), no_autocast(precision), StableSorts(), precision:
            patches.replace("torch.nn.modules.transformer._detect_is_causal_mask", _as_hinted)
            patches.replace("torch.distributions.Distribution._validate_args", False)
            yield precision
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _as_hinted(mask: torch.Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """A mask is applied as it is, unless the caller declares it causal."""
    return is_causal is True


def example_call(module: torch.nn.Module, inputs: Any, specs: Sequence[InputSpec], ref: str) -> Call:
    """The example call: the model's own inputs, or seeded samples for `--input`. Raises `EdgecError` E0107."""
    if inputs is not None:
        call = Call((), dict(inputs)) if isinstance(inputs, dict) else Call(_as_arguments(inputs))
        _register_dataclasses((call.args, call.kwargs))
        call = call.with_tensors(_apart(call.tensors()))
        if not specs:
            return call
        own = call.names(module)
        if {s.name for s in specs} <= set(own):
            return _with_samples(call, own, specs)
    names = _required_parameters(module)
    if not specs:
        raise error(
            "E0107",
            f"`{ref}` has no example inputs",
            help=[
                " ".join(f"--input {n}=SHAPE" for n in names) + " gives them",
                "or return `(module, example_inputs)`",
            ],
        )
    given = {s.name for s in specs}
    known = [n for n in inspect.signature(module.forward).parameters if n in names or n in given]
    rng = np.random.default_rng(0)
    return Call((), {s.name: torch.from_numpy(s.sample(rng)) for s in match_specs(known, specs)})


def _apart(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The tensors, with a repeated tensor copied: an exporter would merge both into one input."""
    seen: set[int] = set()
    found = []
    for tensor in tensors:
        found.append(tensor.clone() if id(tensor) in seen else tensor)
        seen.add(id(tensor))
    return found


def _with_samples(call: Call, names: Sequence[str], specs: Sequence[InputSpec]) -> Call:
    """The call, with random samples for the tensors that the specs name."""
    check_once(specs)
    rng = np.random.default_rng(0)
    own = {
        n: Known(tuple(t.shape), str(t.dtype).removeprefix("torch."))
        for n, t in zip(names, call.tensors(), strict=True)
    }
    drawn = {s.name: torch.from_numpy(s.sample(rng, own[s.name])) for s in specs}
    return call.with_tensors([drawn.get(n, t) for n, t in zip(names, call.tensors(), strict=True)])


def output_tensors(result: Any) -> list[torch.Tensor]:
    """The tensors in a structure, in torch's order."""
    _register_dataclasses(result)
    return [leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor)]


def output_names(result: Any) -> list[str]:
    """Names for a model's results: the keys of dictionaries and dataclasses, `output` for a single tensor, otherwise
    `output_0`, ….
    """
    paths, _ = pytree.tree_flatten_with_path(result)
    tensors = [path for path, leaf in paths if isinstance(leaf, torch.Tensor)]
    names: list[str] = []
    for i, path in enumerate(tensors):
        named = any(isinstance(k, pytree.MappingKey | pytree.GetAttrKey) for k in path)
        name = "_".join(_part(k) for k in path) if named else ""
        names.append(name or (f"output_{i}" if len(tensors) > 1 else "output"))
    return [n if names.count(n) == 1 else f"{n}_{i}" for i, n in enumerate(names)]


def _parameter(parameters: list[inspect.Parameter], position: int) -> str:
    """The name of a positional argument; those of `*args` are numbered."""
    for i, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return f"{parameter.name}_{position - i}"
        if i == position:
            return parameter.name
    return f"input_{position}"


def _part(key: Any) -> str:
    if isinstance(key, pytree.SequenceKey):
        return str(key.idx)
    return str(key.key if isinstance(key, pytree.MappingKey) else key.name)


def _as_arguments(inputs: Any) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)


def _register_dataclasses(value: Any) -> None:
    """Register the user's dataclasses with torch, which otherwise treats them as opaque leaves."""
    for leaf in pytree.tree_leaves(value):
        if dataclasses.is_dataclass(leaf) and not isinstance(leaf, type):
            torch.export.register_dataclass(
                type(leaf), serialized_type_name=f"{type(leaf).__module__}.{type(leaf).__qualname__}"
            )
            _register_dataclasses(leaf)


def _required_parameters(module: torch.nn.Module) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(module.forward).parameters.values()
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind in kinds]
