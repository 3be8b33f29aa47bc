"""What goes wrong in an export though the user gave nothing wrong."""


class ExportError(RuntimeError):
    """A subnet was not exported; the message says why, and by how much.

    Nothing is left behind, and a folder that was exported earlier is intact.
    """
