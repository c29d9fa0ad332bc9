"""From a finished run to other people's use: the final file, its card, and the Hub."""
