"""Which secrets a text holds, and how it reads without them: seed phrases, cards, codes, tokens. Pure."""
