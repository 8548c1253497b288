"""Trees and their ensembles."""
