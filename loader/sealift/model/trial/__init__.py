"""Try a model out on this machine: replay its golden examples in a child process, measure it."""
