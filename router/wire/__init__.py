"""The outside form of a message: strict JSON, fields, attachments; read into the model, and told kindly."""
