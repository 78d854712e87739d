"""The pages for operators: reads `shared/`, renders HTML, acts by the same verbs as API and command line."""
