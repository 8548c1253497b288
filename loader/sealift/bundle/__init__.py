"""The bundle: an OCI image layout in a tar, read front to back and trusted only as far as it is signed."""
