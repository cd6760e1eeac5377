"""Tables, as Markdown has them."""


def print_table(head, lines):
    cells = [head] + lines
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]

    def show(line):
        padded = (cell.ljust(width) for cell, width in zip(line, widths))
        print("| " + " | ".join(padded) + " |")

    show(head)
    print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for line in lines:
        show(line)
