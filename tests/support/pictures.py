"""What tests read off a picture."""


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]
