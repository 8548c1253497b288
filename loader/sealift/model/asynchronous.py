"""Ask a model from a coroutine: the graph runs in a thread, and the event loop goes on."""

import asyncio
from typing import TYPE_CHECKING, Any

from sealift.model.batches import require_method

if TYPE_CHECKING:
    from sealift.model.model import Model


async def apredict(model: "Model", rows: Any, method: str) -> Any:
    """Answer in a thread of the event loop's executor; see `Model.apredict`."""
    require_method(model, method)
    return await asyncio.to_thread(getattr(model, method), rows)
