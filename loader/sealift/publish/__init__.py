"""Push releases and models into a registry inside the closed network."""
