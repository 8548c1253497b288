"""Registries of models over the REST interface of MLflow, as GitLab and MLflow itself speak it. Never trusted.

Imported only where a registry is named. There is no MLflow library: a handful of calls is all that Sealift needs, and
MLflow's own client asks for routes that GitLab does not have.
"""
