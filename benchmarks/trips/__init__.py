"""What goes round: sheets, the way through a camera's files, and what came back."""
