"""The kit: one tar that brings Sealift itself, its packages and its pages to a machine without internet."""
