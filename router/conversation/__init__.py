"""How a conversation stands after a customer's message, the desk's word, a merge or a quiet time. Pure."""
