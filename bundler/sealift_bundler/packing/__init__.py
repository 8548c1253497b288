"""One file to carry: a whole bundle, parts, a differential bundle."""
