"""Install a bundle in nine numbered steps; see `sealift.install.steps`."""
