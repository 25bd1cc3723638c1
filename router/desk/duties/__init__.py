"""What the desk does by itself: due clocks, quiet conversations, automatic answers, what came of sending, retention."""
