"""Decomposes Einsum into matrix products, element-wise products, sums and as few transposes as possible."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations, product

import onnx_ir as ir

from edgec.ir.build import GraphBuilder
from edgec.ir.model import is_constant, static_shape
from edgec.ops.base import Reader, Value
from edgec.ops.linear import Einsum
from edgec.rules.base import Example, Miss, Replacement, Rule
from edgec.rules.decompose.equation import Letters, ordered, parse


@dataclass(frozen=True)
class Term:
    """A value and a distinct letter for each of its axes."""

    value: Value
    letters: Letters

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes, all of which are known."""
        shape = static_shape(self.value)
        assert shape is not None
        return shape

    def size(self, letter: str) -> int:
        """The size of a letter's axis."""
        return self.shape[self.letters.index(letter)]


class EinsumToMatMul(Rule):
    """Einsum(x, …) -> MatMul if letters are summed over two operands, else Mul; ReduceSum, Transpose, Reshape."""

    name = "einsum-to-matmul"
    roots = ("Einsum",)
    examples = (
        Example(
            "float[2,3,4] x, float[2,4,5] z",
            'y = Einsum<equation = "bij,bjk->bik">(x, z)',
            "y = MatMul(x, z)",
        ),
        Example(
            "float[2,3,4] x, float[2,3,5] z",
            'y = Einsum<equation = "bij,bik->bjk">(x, z)',
            "t = Transpose<perm = [0, 2, 1]>(x)  y = MatMul(t, z)",
        ),
        Example(
            "float[3,3] x",
            'y = Einsum<equation = "ii">(x)',
            "f = Reshape(x, s)  d = Slice(f, a, b, c, e)  y = ReduceSum<keepdims = 0>(d, c)",
        ),
        Example(
            "float[2,3] x, float[4] z",
            'y = Einsum<equation = "bi,j->bij">(x, z)',
            "h = Reshape(x, s)  y = Mul(h, z)",
        ),
    )

    def apply(self, node: ir.Node, g: GraphBuilder) -> Replacement | Miss:
        op = Einsum.decode(Reader(node))
        if any(static_shape(x) is None for x in op.xs):
            return Miss("the shape is not static")
        if len({x.dtype for x in op.xs}) > 1:
            return Miss("the element types differ")
        try:
            equation = parse(op.equation, [len(static_shape(x) or ()) for x in op.xs])
        except ValueError as wrong:
            return Miss(str(wrong))
        terms = [_diagonal(x, letters, g) for x, letters in zip(op.xs, equation.operands, strict=True)]
        while True:
            kept = [{*equation.output, *_letters_of(terms, but=i)} for i in range(len(terms))]
            terms = [_sum_out(term, keep, g) for term, keep in zip(terms, kept, strict=True)]
            if len(terms) == 1:
                break
            a, b = min(combinations(terms, 2), key=_result_size)
            terms = [t for t in terms if t is not a and t is not b]
            wanted = equation.output if not terms else ()
            terms.append(_join(a, b, {*equation.output, *_letters_of(terms)}, wanted, g))
        result = _permute(terms[0], equation.output, g)
        return [result.value if result.value not in op.xs else g.op("Identity", result.value)]


def _letters_of(terms: Collection[Term], but: int = -1) -> set[str]:
    return {letter for i, term in enumerate(terms) if i != but for letter in term.letters}


def _result_size(pair: tuple[Term, Term]) -> int:
    a, b = pair
    sizes = dict(zip(b.letters, b.shape, strict=True)) | dict(zip(a.letters, a.shape, strict=True))
    return math.prod(sizes.values())


def _diagonal(x: Value, letters: Letters, g: GraphBuilder) -> Term:
    """Merge axes with the same letter: move them last, flatten them, and take every (n + 1)th element."""
    shape = static_shape(x)
    assert shape is not None
    for letter in dict.fromkeys(letters):
        axes = [i for i, found in enumerate(letters) if found == letter]
        if len(axes) == 1:
            continue
        size = shape[axes[0]]
        others = [i for i in range(len(letters)) if i not in axes]
        perm = [*others, *axes]
        if perm != sorted(perm):
            x = g.op("Transpose", x, perm=perm)
        shape = tuple(shape[i] for i in others)
        x = g.op("Reshape", x, g.ints(*shape, size ** len(axes)))
        step = sum(size**i for i in range(len(axes)))
        last = g.ints(len(others))
        x = g.op("Slice", x, g.ints(0), g.ints(size ** len(axes)), last, g.ints(step))
        letters, shape = (*(letters[i] for i in others), letter), (*shape, size)
    return Term(x, letters)


def _sum_out(term: Term, keep: Collection[str], g: GraphBuilder) -> Term:
    """Sum over all letters that are not needed any more."""
    axes = [i for i, letter in enumerate(term.letters) if letter not in keep]
    if not axes:
        return term
    left = tuple(letter for letter in term.letters if letter in keep)
    return Term(g.op("ReduceSum", term.value, g.ints(*axes), keepdims=0), left)


def _join(a: Term, b: Term, keep: Collection[str], wanted: Letters, g: GraphBuilder) -> Term:
    """Contract two terms; `wanted` is the preferred order of the result, () if there is none."""
    a, b = _drop_broadcast(a, b, g), _drop_broadcast(b, a, g)
    summed = {letter for letter in a.letters if letter in b.letters and letter not in keep}
    return _matmul(a, b, summed, wanted, g) if summed else _multiply(a, b, wanted, g)


def _drop_broadcast(term: Term, other: Term, g: GraphBuilder) -> Term:
    """Drop axes of size 1 that would be broadcast against a larger axis of the other term."""
    shared = [letter for letter in term.letters if letter in other.letters]
    single = {letter for letter in shared if term.size(letter) == 1 and other.size(letter) != 1}
    return _reshape(term, tuple(letter for letter in term.letters if letter not in single), g) if single else term


def _reshape(term: Term, letters: Letters, g: GraphBuilder) -> Term:
    """Drop or reorder axes of size 1."""
    return Term(g.op("Reshape", term.value, g.ints(*(term.size(letter) for letter in letters))), letters)


def _permute(term: Term, order: Letters, g: GraphBuilder) -> Term:
    """Reorder the axes: by a Reshape if only axes of size 1 move, else by a Transpose."""
    if term.letters == order:
        return term
    if not _moves(term, order):
        return _reshape(term, order, g)
    return Term(g.op("Transpose", term.value, perm=[term.letters.index(letter) for letter in order]), order)


def _moves(term: Term, order: Letters) -> bool:
    """Whether the order of elements changes."""
    return [x for x in term.letters if term.size(x) != 1] != [x for x in order if term.size(x) != 1]


def _multiply(a: Term, b: Term, wanted: Letters, g: GraphBuilder) -> Term:
    """Element-wise product, in the order of letters that moves the fewest elements."""
    union = {*a.letters, *b.letters}
    orders = [ordered(union, wanted), ordered(union, a.letters), ordered(union, b.letters)]
    orders += [(*ordered(union - {*x.letters}, y.letters), *x.letters) for x, y in ((a, b), (b, a))]

    def cost(order: Letters) -> int:
        operands = sum(_cost(t, tuple(x for x in order if x in t.letters)) for t in (a, b))
        return operands + (_product_size(a, b) if wanted and order != wanted else 0)

    order = min(orders, key=cost)
    return Term(g.op("Mul", _spread(a, order, g), _spread(b, order, g)), order)


def _spread(term: Term, order: Letters, g: GraphBuilder) -> Value:
    """The value with its axes in the order of `order`, and axes of size 1 for missing letters."""
    present = _permute(term, tuple(x for x in order if x in term.letters), g)
    if not present.letters:
        return present.value
    inner = order[order.index(present.letters[0]) :]
    if inner == present.letters:
        return present.value
    sizes = (present.size(x) if x in present.letters else 1 for x in inner)
    return g.op("Reshape", present.value, g.ints(*sizes))


def _cost(term: Term, order: Letters) -> int:
    """Elements moved to reorder a term; constants are reordered at compile time, for free."""
    return 0 if is_constant(term.value) or not _moves(term, order) else math.prod(term.shape)


def _product_size(a: Term, b: Term) -> int:
    sizes = dict(zip(b.letters, b.shape, strict=True)) | dict(zip(a.letters, a.shape, strict=True))
    return math.prod(sizes.values())


@dataclass(frozen=True)
class Plan:
    """A matrix product: `first` as (batch…, rows…, summed…) times `second` as (batch…, summed…, columns…)."""

    first: Term
    second: Term
    batch: Letters
    rows: Letters
    summed: Letters
    columns: Letters

    def cost(self, wanted: Letters) -> int:
        """The number of elements that transposes move."""
        found = (*self.batch, *self.rows, *self.columns)
        result = math.prod(self._size(x) for x in found) if wanted and found != wanted else 0
        left = _cost(self.first, (*self.batch, *self.rows, *self.summed))
        return left + _cost(self.second, (*self.batch, *self.summed, *self.columns)) + result

    def _size(self, letter: str) -> int:
        return (self.first if letter in self.first.letters else self.second).size(letter)


def _plans(a: Term, b: Term, summed: Collection[str], wanted: Letters) -> Iterator[Plan]:
    """All candidate orders of the letters."""
    for first, second in ((a, b), (b, a)):
        batch = {x for x in first.letters if x in second.letters and x not in summed}
        rows, columns = {*first.letters} - batch - {*summed}, {*second.letters} - batch - {*summed}
        batches = dict.fromkeys(ordered(batch, like) for like in (first.letters, second.letters, wanted))
        sums = dict.fromkeys(ordered(summed, like) for like in (first.letters, second.letters))
        row_orders = dict.fromkeys(ordered(rows, like) for like in (first.letters, wanted))
        column_orders = dict.fromkeys(ordered(columns, like) for like in (second.letters, wanted))
        for chosen in product(batches, row_orders, sums, column_orders):
            yield Plan(first, second, *chosen)


def _matmul(a: Term, b: Term, summed: Collection[str], wanted: Letters, g: GraphBuilder) -> Term:
    plan = min(_plans(a, b, summed, wanted), key=lambda p: p.cost(wanted))
    first = _permute(plan.first, (*plan.batch, *plan.rows, *plan.summed), g)
    second = _permute(plan.second, (*plan.batch, *plan.summed, *plan.columns), g)
    batch, rows, inner, columns = (
        [next(t for t in (first, second) if x in t.letters).size(x) for x in letters]
        for letters in (plan.batch, plan.rows, plan.summed, plan.columns)
    )
    outer = rows if rows and not batch else [math.prod(rows)]
    x = _as(first, [*batch, *outer, math.prod(inner)], g)
    y = _as(second, [*batch, math.prod(inner), math.prod(columns)], g)
    letters = (*plan.batch, *plan.rows, *plan.columns)
    found = Term(g.op("MatMul", x, y), letters)
    return Term(_as(found, [*batch, *rows, *columns], g), letters)


def _as(term: Term, shape: list[int], g: GraphBuilder) -> Value:
    """The value in another shape with as many elements."""
    return term.value if list(term.shape) == shape else g.op("Reshape", term.value, g.ints(*shape))
