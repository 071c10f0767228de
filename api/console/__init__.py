"""The record, for eyes: server-rendered pages, each one a named GraphQL document and a template.

A page asks what it shows through the schema that everybody asks, in this process and with the visitor's own rights, so it can show
nothing that its visitor could not ask for, and the question behind it is one click away. Nothing here knows SQL or decides
anything about the domain.

    pages/<name>/<name>.graphql, <name>.html    a page; `catalogue` lists them
    mutations/<name>.graphql                    what a form records; `actions` lists them
    static/                                     one style sheet, three scripts, htmx

Who may look is `visitors`' affair, what a browser may do with an answer `headers`'.
"""
