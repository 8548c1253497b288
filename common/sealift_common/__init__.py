"""What every wing stands on: errors, durable writes, names, clocks, fingerprints, the console."""
