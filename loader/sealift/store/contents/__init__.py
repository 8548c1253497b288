"""What lies in a store: its layout, files, generations, history."""
