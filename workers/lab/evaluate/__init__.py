"""How well does the product judge a desk's own history? One module a question: tags, follow-ups, deadlines."""
