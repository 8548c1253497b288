"""Final steps that are not ensembles: linear, Bayes, neighbors, kernels, neural."""
