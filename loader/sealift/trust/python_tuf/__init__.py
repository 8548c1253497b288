"""The client of python-tuf: imported without a socket, and fed with bytes that we hold."""
