"""The live-chat page: a visitor of a web page, the desk's answers, pictures."""
