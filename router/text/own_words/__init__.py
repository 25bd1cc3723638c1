"""Which words are the customer's own: quotes, signatures, footers and HTML taken off. Linear in the text. Pure."""
