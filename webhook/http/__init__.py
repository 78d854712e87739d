"""What every HTTP interface here needs: the address of the client, JSON and error answers. Knows no route."""
