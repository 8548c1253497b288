"""Watch a folder and install the bundles that are copied into it."""
