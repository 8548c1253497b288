"""Convert, prove, describe, sign and pack trained models."""
