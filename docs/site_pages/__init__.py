"""Pages of the documentation that are made from the code: fields, effects, presets, rules, laws, commands, settings.

    from site_pages import site
    site.write(Path("docs/generated"))

========  ================================================================================
markdown  text of docstrings as Markdown: escaped, lists of definitions, tables
entries   a field, a setting or an option as an entry of such a list
effects   one page for each effect of a chip; what they say beside the code: effects.toml
pictures  the picture of every effect, drawn by the code that computes it
chips     presets, rules, laws, components, and all fields of a chip
running   commands, settings of a run, formats of files
drawn     which pictures there are; drawn where they are missing or would differ
site      all of them, written where they differ
========  ================================================================================
"""
