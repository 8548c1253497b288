"""Steps that wrap other models: voting, stacking, calibration, several classes or outputs."""
