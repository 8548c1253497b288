"""Random pipelines, containers and dtypes, each judged on rows that the conversion never saw; behind `make hunt`."""
