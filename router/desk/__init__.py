"""What the desk does: one function a use case, the same for library, API and command line."""
