"""What a mail says: its structure, charset and content, within limits that hold before anything is decoded."""
