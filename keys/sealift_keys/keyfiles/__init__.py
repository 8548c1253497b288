"""Key files and the signers they open: encrypted private keys, public halves, passphrases, tokens, cloud keys."""
