"""Steps that change columns: encoders, scalers, imputers, projections, text."""
