"""Who may sign: key files, signers, the trust root, and the metadata ceremony of a channel.

Importing this package imports nothing else; the loader uses only its public half (`errors`,
`console`, `names`), never the modules that touch private keys.
"""
