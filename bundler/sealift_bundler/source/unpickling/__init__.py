"""The one way to open a pickle: a list of what it may ask for, and an unpickler that keeps to it."""
