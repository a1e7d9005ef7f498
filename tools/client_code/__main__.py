"""Writes the generated files; see the package."""

from client_code.files import write_files

if __name__ == "__main__":
    write_files()
