"""What the words say: folding, words, identifiers, amounts, kinds of utterance. Pure."""
