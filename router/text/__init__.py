"""What the words of a message say: own words, numbers, utterance, secrets. Pure."""
