"""Install a bundle in nine numbered steps; see `sealift.install.steps`."""

from sealift.install.steps import InstallReport, install

__all__ = ["InstallReport", "install"]
