"""How the pages of this folder become a site: ``make docs``."""

from importlib.metadata import version as version_of

project = "Restock"
author = "The Restock authors"
project_copyright = "The Restock authors, Apache License 2.0"
version = release = version_of("restock")
extensions = ["myst_parser"]
myst_heading_anchors = 4  # links name headings as code hosts do
myst_links_external_new_tab = False
source_suffix = {".md": "markdown"}
exclude_patterns: list[str] = []
nitpicky = True
html_theme = "furo"
html_title = "Restock"
html_show_sourcelink = False
html_copy_source = False
