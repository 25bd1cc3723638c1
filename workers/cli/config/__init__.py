"""The configuration on the command line: is there one, is it right, does what it names answer?"""
