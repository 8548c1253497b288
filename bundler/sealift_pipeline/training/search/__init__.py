"""The search for parameters: asked in batches, scored by any number of processes, told in order."""
