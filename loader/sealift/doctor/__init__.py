"""Health of this machine and its store: facts are read apart, judged by pure functions."""
