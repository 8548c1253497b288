"""How a conversion under way gives text to its graph: the inputs of each counter, and what the graph makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sealift.model.frontend.document import COUNTER


@dataclass
class SparseLayout:
    """Text goes to the graph without zeros; for each counter, the most values that it makes of a term and of a row."""

    term_values: dict[int, int] = field(default_factory=dict)
    row_values: dict[int, int] = field(default_factory=dict)

    def note(self, counter: int, *, term_values: int = 0, row_values: int = 0) -> None:
        """Note that the graph makes so many values of one term, or of one row."""
        self.term_values[counter] = max(self.term_values.get(counter, 1), term_values)
        self.row_values[counter] = max(self.row_values.get(counter, 0), row_values)

    def declared(self, counter: int, declaration: Mapping[str, Any]) -> dict[str, Any]:
        """The front end as `frontend.json` has it."""
        return {
            "kind": COUNTER,
            "layout": "sparse",
            **declaration,
            "term_values": self.term_values.get(counter, 1),
            "row_values": self.row_values.get(counter, 0),
        }


def input_names(counter: int) -> tuple[str, str]:
    """The graph's inputs of a counter: of its columns, or of its dense counts, and of its counts."""
    return (f"terms_{counter}", f"counts_{counter}") if counter else ("terms", "counts")
