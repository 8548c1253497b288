"""Products of columns with a matrix: of text, from the rows of the matrix that a text's terms have."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.graph import Graph, numbers_of
from sealift_bundler.converters.steps import Context, Features, numbers
from sealift_bundler.converters.steps.text.columns import SparseColumns, Terms


def product(context: Context, estimator: Any, features: Features, matrix: Any, shift: Any = None) -> str:
    """The product X · matrix + shift, [rows, outputs]; the matrix is [columns, outputs]."""
    graph = context.graph
    table = numbers_of(matrix)
    if isinstance(features, SparseColumns):
        total = ""
        for part in features.parts:
            mine = table[part.places]
            if isinstance(part.of, Terms):
                term = _of_terms(context, part.of, mine)
            else:
                term = graph.add("MatMul", numbers(context, part.of, estimator), graph.constant(mine))
            total = graph.add("Add", total, term) if total else term
    else:
        total = graph.add("MatMul", numbers(context, features, estimator), graph.constant(table))
    return total if shift is None else graph.add("Add", total, graph.constant(numbers_of(shift)))


def wide_product(context: Context, estimator: Any, features: Features, matrix: Any, shift: Any = None) -> str:
    """The same of logarithms of probabilities, of which a row's largest counts against its others alone.

    Raises:
        NeedsLaterRung: on the float32 rung, except for text.
    """
    table = numbers_of(matrix)
    if context.narrow:
        if not isinstance(features, SparseColumns):
            raise context.climb("it computes in float64", estimator)
        # The same is taken off every class, so that sums of large numbers do not lose their differences.
        table = table - table.mean(axis=1, keepdims=True)
    return product(context, estimator, features, table, shift)


def _of_terms(context: Context, terms: Terms, table: NDArray[Any]) -> str:
    graph = context.graph
    padded = np.vstack([table, np.zeros((1, table.shape[1]))])
    rows = graph.add("Gather", graph.constant(padded), terms.columns, axis=0)
    if context.text is not None:
        context.text.note(terms.counter, term_values=table.shape[1])
    return row_products(graph, terms.values, rows)


def row_products(graph: Graph, values: str, tables: str) -> str:
    """The product of each row of `values` [rows, terms] with its own table of `tables` [rows, terms, outputs].

    Unlike sums along an axis, a product of matrices gives the same bits however far a row is padded with zeros.
    """
    one = graph.constant([1])
    return graph.add("Squeeze", graph.add("MatMul", graph.add("Unsqueeze", values, one), tables), one)
