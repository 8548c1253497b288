"""Pages for people: the proof and the probe of a conversion, and the frame, tables and charts that every page uses."""
