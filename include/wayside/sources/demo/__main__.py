"""`python -m wayside.sources.demo`: serve the demo city until told to stop."""

from wayside.sources.demo.server import main

if __name__ == "__main__":
    main()
