"""Reviews of model versions: the questions, the record of the answers, and who decides."""
