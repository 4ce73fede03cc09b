"""The program of a session's container: `python3 -I DIR`, where DIR holds this file."""

from fastpyrepl_driver.main import main

main()
