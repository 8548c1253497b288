"""What is right and wrong with this machine and its store: facts are read apart, judged by pure functions."""
