"""Lets matplotlib start with the font list that was made with the image.

matplotlib reads the list only from MPLCONFIGDIR, and only if it may write there; in a session that is an empty tmpfs. Python runs
this module at every start, so it costs one failed mkdir when there is nothing to do.
"""

import os


def _link_font_list(made="/opt/fastpyrepl/matplotlib"):
    target = os.environ.get("MPLCONFIGDIR")
    if not target:
        return
    try:
        os.makedirs(target, mode=0o700)
        for name in os.listdir(made):
            os.symlink(os.path.join(made, name), os.path.join(target, name))
    except OSError:
        pass  # there already, or nowhere to write: matplotlib then does without


_link_font_list()
del _link_font_list
