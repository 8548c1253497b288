"""Changes of a channel that people sign: begin, sign, merge, rotate, renew, revoke."""
