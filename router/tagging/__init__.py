"""What a message is about: lexicons, the trained model, the tagger over both. Pure."""
