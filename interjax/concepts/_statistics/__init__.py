"""What many explanations say together: sizes, generalisation, faithfulness, inconsistency."""
