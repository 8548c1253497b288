"""The signed documents of a model: `model.json`, its fields, golden examples."""
