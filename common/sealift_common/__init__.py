"""The floor of every wing: errors, durable writes, names, clocks, fingerprints, the console."""
