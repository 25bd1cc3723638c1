"""The front door: channel routes, probes and the live-chat page, guarded against strangers."""
