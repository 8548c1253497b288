"""Contents of a store: its layout, files, generations, history."""
