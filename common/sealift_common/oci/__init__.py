"""The documents of a model version as OCI and ModelPack write them, and its files in zstd frames."""
