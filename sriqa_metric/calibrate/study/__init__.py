"""The two-alternative forced choice (2AFC) study: a web page that collects votes."""
