"""What adapters share, public for private ones too: HTTP calls, signatures, batches, splitting, sending in parts."""
