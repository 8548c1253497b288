"""Commands that change a store, or compare it with what is signed."""
