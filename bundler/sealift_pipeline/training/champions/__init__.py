"""What a challenger has to beat: the champion, and the channel that it is released in."""
