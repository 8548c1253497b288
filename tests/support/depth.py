"""How deep tests search that try moments, places or lives by chance: `make test DEPTH=5` tries five times as many."""

import os

DEPTH = int(os.environ.get("DEPTH", "1"))
