"""The pure heart of syncd: values and rules, without a socket, a file, a clock or a logger."""
