"""What several commands of `inos` share: options, output, the node a command talks to, files and wallets."""
