"""From the configuration file to a policy, with every mistake named by its path."""
