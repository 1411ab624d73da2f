"""What every room rests on; it imports none of them."""
