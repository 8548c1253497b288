"""Every estimator of scikit-learn against its own answers; behind `make coverage-page` and a quick test."""
