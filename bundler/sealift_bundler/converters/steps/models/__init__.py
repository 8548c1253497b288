"""Final steps that are no ensembles: linear, Bayes, neighbors, kernels, neural."""
